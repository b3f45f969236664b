"""Archives made in memory."""

import io
import tarfile
import zipfile


def zipped(files, compress=zipfile.ZIP_DEFLATED):
    """A zip of name -> content."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compress) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def tarred(mode, files):
    """A tar of name -> content, packed as `mode` of tarfile says."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()

"""What became of the catalogue's entries, as one table at the end of the run; loaded by the conftest of the repository.

An entry hands its result over as a property of its report, which comes from whichever process it ran in.
"""

WORDS = ("caught", "blamed rightly", "diagnosed rightly")


def pytest_configure(config):
    config.pluginmanager.register(Table(), "catalogue table")


class Table:
    def __init__(self):
        self.entries = {"fault": [], "variant": [], "slip": []}

    def pytest_runtest_logreport(self, report):
        if report.when == "call":
            for name, value in report.user_properties:
                if name in self.entries:
                    self.entries[name].append(value)

    def pytest_terminal_summary(self, terminalreporter):
        faults, variants, slips = self.entries.values()
        if not faults and not variants and not slips:
            return
        write = terminalreporter.write_line

        def write_row(part, entries):
            write(f"{part:28}{len(entries):>8}" + "".join(f"{sum(f[w] for f in entries):>19}" for w in WORDS))

        terminalreporter.section("do the checks hold?")
        if faults:
            kinds = len({f["row"] for f in faults})
            write(f"{'':28}{'faults':>8}" + "".join(f"{word:>19}" for word in WORDS))
            for part in dict.fromkeys(f["part"] for f in faults):
                write_row(part, [f for f in faults if f["part"] == part])
            write_row(f"all ({kinds} kinds)", faults)
            for f in faults:
                if not all(f[word] for word in WORDS):
                    write(f"  {f['row']:4} {f['name']}: {f['how']}")
        if slips:
            dear = [s for s in slips if s["lost"] > s["budget"]]
            write(
                f"{len(slips)} slips cost {sum(s['lost'] for s in slips):g} points; beyond their budget: {len(dear)}"
            )
            for s in dear:
                write(f"  {s['name']}: {s['lost']:g} of {s['budget']:g}")
        if variants:
            alarms = [v for v in variants if not v["full marks"]]
            write(f"{len(variants)} correct variants, false alarms: {len(alarms)}")
            for v in alarms:
                write(f"  {v['name']}: {v['how']}")

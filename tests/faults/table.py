"""What became of the catalogue's entries, as one table at the end of the run; loaded by the conftest of the repository.

An entry hands its result over as a property of its report, which comes from whichever process it ran in.
"""

WORDS = ("caught", "blamed rightly", "diagnosed rightly")
# Property of a report -> what its entries are called, and what their budget bounds.
BUDGETED = {
    "slip": ("slips", "lost"),
    "forgery": ("forgeries", "earned"),
    "absent": ("absent fields and files", "lost"),
}


def pytest_configure(config):
    config.pluginmanager.register(Table(), "catalogue table")


class Table:
    def __init__(self):
        self.entries = {"fault": [], "variant": [], "drawn": [], **{kind: [] for kind in BUDGETED}}

    def pytest_runtest_logreport(self, report):
        if report.when == "call":
            for name, value in report.user_properties:
                if name in self.entries:
                    self.entries[name].append(value)

    def pytest_terminal_summary(self, terminalreporter):
        if not any(self.entries.values()):
            return
        faults, variants = self.entries["fault"], self.entries["variant"]
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
        self._write_drawn(write)
        self._write_budgets(write)
        if variants:
            alarms = [v for v in variants if not v["full marks"]]
            write(f"{len(variants)} correct variants, false alarms: {len(alarms)}")
            for v in alarms:
                write(f"  {v['name']}: {v['how']}")

    def _write_drawn(self, write):
        """Entries drawn from a seed: a line a family, right variants among them."""
        entries = self.entries["drawn"]
        if not entries:
            return
        columns = ("caught", "named", "in part", "wrongly named", "silent")
        write(f"{'drawn from the seed':40}{'entries':>8}" + "".join(f"{word:>15}" for word in columns))

        def row(title, those):
            counts = {word: sum(e[word] for e in those) for word in columns[:-1]}
            counts["silent"] = len(those) - sum(counts[w] for w in columns[1:-1])
            write(f"{title:40}{len(those):>8}" + "".join(f"{counts[word]:>15}" for word in columns))

        for family in dict.fromkeys(e["family"] for e in entries):
            row(family, [e for e in entries if e["family"] == family])
        row("all that are wrong", [e for e in entries if not e["right"]])
        row("all that are right", [e for e in entries if e["right"]])
        for e in entries:
            if (e["right"] and (e["caught"] or e["wrongly named"])) or (not e["right"] and not e["named"]):
                write(f"  {e['family']} {e['number']}: {e['how']}")

    def _write_budgets(self, write):
        """Entries with a bound of points: how many, what they came to together, and which went beyond."""
        if any(self.entries[kind] for kind in BUDGETED):
            write(f"{'':28}{'entries':>8}{'points':>19}{'at most':>19}{'beyond their budget':>22}")
        for kind, (words, what) in BUDGETED.items():
            entries = self.entries[kind]
            beyond = [e for e in entries if e["points"] > e["budget"] + 1e-6]
            if entries:
                points, budget = (sum(e[key] for e in entries) for key in ("points", "budget"))
                write(
                    f"{words:28}{len(entries):>8}{f'{points:.4g} {what}':>19}{budget:>19.4g}{len(beyond):>22}"
                )
            for e in beyond:
                write(f"  {e['name']}: {e['points']:g} of {e['budget']:g}")

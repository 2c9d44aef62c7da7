"""`bench doctor`: what the meters of this machine are, and what would mend the rest."""

from rich.markup import escape

from harness import diagnosis
from harness.commands.console import out, print_json, table
from harness.readings import Channel


def doctor(*, as_json: bool) -> int:
    """Meters that answer, the cure for the others, and what a run would report."""
    found = diagnosis.diagnose()
    if as_json:
        print_json(diagnosis.to_dict(found))
        return 0
    shown = table("source of joules", "device", "how", "tier", "updates every")
    for channel in (c for c in found.channels if c.tier is not None):
        shown.add_row(
            escape(channel.source),
            escape(f"{channel.domain} {channel.device}"),
            channel.provenance,
            channel.tier,
            _period(channel, found.periods.get(channel.name)),
        )
    out().print(shown)
    for line in _findings(found):
        out().print(line, markup=False, highlight=False, soft_wrap=True)
    return 0


def _period(channel: Channel, period_s: float | None) -> str:
    if period_s is not None:
        return f"{period_s * 1000:.0f} ms"
    stated = channel.update_period_s
    return "not seen to change" + (f" (stated: {stated:g} s)" if stated else "")


def _findings(found: diagnosis.Diagnosis) -> list[str]:
    lines = [f"note: {c.source}: {c.note}" for c in found.channels if c.tier and c.note]
    state = sorted({c.what for c in found.channels if c.what})
    lines.append(f"also read: {', '.join(state)}")
    for name, reason, cure in found.unavailable:
        lines.append(f"not available: {name}: {reason}")
        lines += [f"    cure: {cure}"] if cure else []
    lines += [f"device {n}: {fault or 'ready'}" for n, fault in found.devices.items()]
    return [*lines, *_would_report(found)]


def _would_report(found: diagnosis.Diagnosis) -> list[str]:
    """What a run here would say of its joules."""
    total = found.reading.total
    cost = f"the meters cost {found.meter_cpu_ratio:.2%} of a core"
    if found.reading.power_w is None:
        return [f"a run here would report no joules: {total.reason}", cost]
    parts = ", ".join(
        f"{r.domain} ({r.provenance}, tier {r.tier})"
        for r in found.reading.energy
        if r.energy_j is not None
    )
    whole = "complete" if total.complete else f"incomplete: {total.reason}"
    watts, within = f"{found.reading.power_w:.3g} W", " + ".join(total.perimeter)
    modelled = f"{total.modelled_ratio or 0.0:.0%} modelled"
    return [
        f"a run here would report joules of {parts}; {whole}",
        f"this moment: {watts} in {within}; {modelled}",
        cost,
    ]

import asyncio

from runner import RunEvent, plan_manifest, run_manifest
from runner.api import ItemChanged


def heard(event: RunEvent) -> None:
    if isinstance(event, ItemChanged):
        print(event.item, event.state)


async def main() -> int:
    plan = await plan_manifest("sweep.yaml", sim=True)
    print(f"{plan.new} new items, {plan.credits} credits")

    result = await run_manifest("sweep.yaml", sim=True, budget=500, confirm_spend=True, on_event=heard)
    for row in result.rows():
        print(row.item, row.state, [output.file for output in row.outputs])
    return result.exit_code


if __name__ == "__main__":
    raise SystemExit(asyncio.run(main()))

"""The orchestrations of `bench/apps/durable` as Restate handlers; runs in Restate's own environment."""

import restate

bench = restate.Service("bench")


def double(number: int) -> int:
    return number * 2


def greet(city: str) -> str:
    return f"Hello, {city}!"


@bench.handler()
async def ten(ctx: restate.Context) -> int:
    total = 0
    for number in range(10):
        total += await ctx.run_typed("double", double, number=number)
    return total


@bench.handler()
async def hello(ctx: restate.Context) -> list[str]:
    return [await ctx.run_typed("greet", greet, city=city) for city in ("Tokyo", "Seattle", "London")]


@bench.handler()
async def fan(ctx: restate.Context, count: int) -> int:
    doubled = [ctx.run_typed("double", double, number=number) for number in range(count)]
    await restate.gather(*doubled)
    return sum([await one for one in doubled])


app = restate.app([bench])

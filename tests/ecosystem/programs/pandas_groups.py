"""pandas: groups of a table as items, large tables as arguments and as results."""

import numpy as np
import pandas as pd
import ways

ROWS = 60_000


def table():
    dice = np.random.default_rng(23)
    return pd.DataFrame(
        {
            "shop": pd.Categorical.from_codes(dice.integers(0, 8, ROWS), [f"shop {number}" for number in range(8)]),
            "when": pd.Timestamp("2026-01-01") + pd.to_timedelta(dice.integers(0, 10_000_000, ROWS), unit="s"),
            "price": dice.gamma(2.0, 10.0, ROWS).round(2),
            "pieces": dice.integers(1, 5, ROWS),
            "note": dice.choice(["", "käse", "returned"], ROWS),
            "rated": pd.array(dice.choice([1, 2, 3, None], ROWS), dtype="Int8"),
        }
    ).sort_values("when", ignore_index=True)


def summary(item):
    """Return one row for a group: what `GroupBy.apply` would be given."""
    shop, rows = item
    rows["sum"] = rows["price"] * rows["pieces"]  # the caller's table gets no such column
    per_day = rows.set_index("when")["sum"].resample("1D").sum()
    return pd.Series(
        {"shop": shop, "sum": rows["sum"].sum(), "best day": per_day.idxmax(), "rated": rows["rated"].sum()}
    )


def part(frame, start, stop):
    """Return some rows of a large table, each twice."""
    rows = frame.iloc[start:stop]
    return pd.concat([rows, rows.assign(note=rows["note"].str.upper())])


def correlation(frame, first, second):
    return float(frame[first].astype(float).corr(frame[second].astype(float)))


def reprice(frame):
    """Change a large table, and an array that has its memory, in place."""
    frame.loc[frame["pieces"] > 2, "price"] *= 0.9
    frame = frame.sort_values("price", ignore_index=True)
    prices = frame["price"].to_numpy(copy=True)
    prices.sort()
    return frame, prices


def same(frame):
    return frame


def show(frame):
    """Return a short name of all values."""
    return ways.digest(pd.util.hash_pandas_object(frame).to_numpy()), [str(kind) for kind in frame.dtypes]


if __name__ == "__main__":
    sales = table()
    before = show(sales)
    with ways.pool() as pool:
        rows = pool.map(summary, sales.groupby("shop", observed=True))
        print(pd.DataFrame(list(rows)).set_index("shop").to_string())
        print(show(pd.concat(pool.map(part, [sales] * 4, range(0, 40_000, 10_000), range(9_000, 49_000, 10_000)))))
        pairs = [("price", "pieces"), ("price", "rated"), ("pieces", "rated")]
        print([future.result() for future in [pool.submit(correlation, sales, *pair) for pair in pairs]])
        changed, prices = pool.submit(reprice, sales.copy()).result()
        prices *= 2  # and the result can be changed
        changed["price"] += 1.0
        print(show(changed), ways.digest(prices))
        index = pd.MultiIndex.from_product([["a", "b"], pd.date_range("2026-01-01", periods=3, tz="Europe/Berlin")])
        odd = pd.DataFrame({("x", 1): range(6), ("x", 2): pd.period_range("2026-01", periods=6, freq="M")}, index=index)
        print(*pool.map(same, [odd, odd["x"], odd.T, sales.head(0)]), sep="\n")
    print(show(sales) == before, list(sales.columns))

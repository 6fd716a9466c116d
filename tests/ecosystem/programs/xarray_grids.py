"""xarray: datasets with coordinates and attributes as arguments and as results."""

import numpy as np
import pandas as pd
import ways
import xarray as xr


def climate():
    dice = np.random.default_rng(31)
    times = pd.date_range("2025-01-01", periods=120)
    places = {"lat": np.linspace(-60, 60, 30), "lon": np.arange(0.0, 360.0, 5.0)}
    noise = dice.normal(size=(120, 30, 72))
    return xr.Dataset(
        {
            "warm": (("time", "lat", "lon"), 15 + 8 * noise, {"units": "degC"}),
            "wet": (("time", "lat", "lon"), np.abs(noise[::-1]).astype("float32")),
            "land": (("lat", "lon"), dice.random((30, 72)) > 0.7),
        },
        coords={"time": times, **places, "season": ("time", np.array(times.month % 12 // 3))},
        attrs={"source": "made up", "history": ["made", {"by": "xarray_grids"}]},
    )


def mean_of_month(item):
    month, data = item
    mean = data.drop_vars("season").mean("time", keep_attrs=True)
    return mean.expand_dims(month=[month])


def where_land(data, limit):
    return data["warm"].where(data["land"] & (data["wet"] < limit)).mean(skipna=True).item()


def anomaly(data, name):
    return (data[name] - data[name].mean("time")).rename(f"{name} anomaly")


def flood(data, level):
    """Change a large array in place."""
    data["warm"][10:20] += level
    data["warm"].values[data["warm"].values < 0] = 0.0
    return data


def show(data):
    if isinstance(data, xr.DataArray):
        data = data.to_dataset(name=data.name)
    sizes = [f"{name} {values.dims} {ways.digest(values.to_numpy())}" for name, values in data.variables.items()]
    return "\n".join([*map(str, sorted(sizes)), str(data.attrs)])


if __name__ == "__main__":
    data = climate()
    with ways.pool() as pool:
        months = pool.map(mean_of_month, list(data.groupby("time.month")))
        print(show(xr.concat(months, dim="month")))
        print(*pool.map(where_land, [data] * 4, [0.2, 0.5, 1.0, 2.0]))
        for future in [pool.submit(anomaly, data, name) for name in ("warm", "wet")]:
            print(show(future.result()))
        for changed in pool.map(flood, [data.copy(deep=True) for _ in range(2)], [1.0, -20.0]):
            changed["warm"].values[0] = 1.0  # and the result can be changed
            print(show(changed))
        print(show(pool.submit(xr.Dataset.sel, data, lat=slice(0, 20), lon=10.0).result()))

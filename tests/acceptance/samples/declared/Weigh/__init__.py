"""Weighs a parcel, box included."""

from ..shared.parcels import Parcel


def main(parcel):
    if not isinstance(parcel, Parcel):
        raise TypeError(f"a parcel was expected, found {parcel!r}")
    return Parcel(parcel.to, parcel.grams + 200)

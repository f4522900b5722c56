"""A class whose objects go between functions."""

import json


class Parcel:
    def __init__(self, to: str, grams: int) -> None:
        self.to = to
        self.grams = grams

    @staticmethod
    def to_json(parcel: "Parcel") -> str:
        return json.dumps({"to": parcel.to, "grams": parcel.grams})

    @staticmethod
    def from_json(text: str) -> "Parcel":
        return Parcel(**json.loads(text))

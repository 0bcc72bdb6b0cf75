from typing import Literal

from puter import PuterAI


def weather(city: str, unit: Literal["C", "F"] = "C") -> str:
    """Tell the weather in a city.

    city: Its name.
    unit: In which scale.
    """
    return f"18 °{unit} and sunny in {city}"


puter = PuterAI(username="ann", password="correct horse")
print(puter.chat("How is the weather in Lyon?", tools=[weather]))

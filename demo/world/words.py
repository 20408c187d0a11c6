"""Word lists from which names and addresses are made up. Any likeness to a real person is chance.

Does not belong here: choosing (people.py, places.py).
"""

from __future__ import annotations

FIRST_NAMES = (
    "Anders", "Anne", "Arne", "Astrid", "Bente", "Bjorn", "Camilla", "Dag", "Eirik", "Elin", "Erik", "Eva",
    "Frode", "Geir", "Grete", "Gunnar", "Hanne", "Hilde", "Ida", "Inger", "Ivar", "Jens", "Jorunn", "Kari",
    "Kjell", "Kristin", "Lars", "Line", "Marit", "Morten", "Nina", "Odd", "Ole", "Per", "Ragnhild", "Rune",
    "Silje", "Siri", "Stein", "Svein", "Terje", "Tone", "Trine", "Vidar",
)  # fmt: skip
LAST_NAMES = (
    "Aasheim", "Bakkelund", "Dalseth", "Eikemo", "Fjellvik", "Granli", "Haugdal", "Iversmo", "Kvernberg", "Lundemo",
    "Moholtan", "Nordvang", "Opdalsli", "Rognes", "Sandvold", "Skogmo", "Solbu", "Tangvik", "Ulsethmo", "Vikanes",
)  # fmt: skip
LOCALES = ("nb", "NB", "no", "en", "EN", "nb-NO")
STREETS = (
    "Granskogveien", "Fjordglimtveien", "Bergsbakken", "Elvekanten", "Solhaugveien", "Kvernhusveien", "Rypestien",
    "Moltemyra", "Nordlysveien", "Furulia", "Steinbruddet", "Hasselbakken", "Tyttebærstien", "Lauvåsen", "Skiløypa",
    "Utsiktsveien", "Bekkefaret", "Myrullveien", "Ospelia", "Trelasttomta", "Fiskebrygga", "Teglverkstunet",
    "Birkelunden", "Havnegløtten",
)  # fmt: skip

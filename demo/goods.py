"""Makes up orders. The same number always makes the same order; nothing is drawn from anywhere else."""

from random import Random
from typing import Any

PEOPLE = [
    ("Ada Lindqvist", "Storgatan 14", "41138", "Göteborg", "SE"),
    ("Tomás Ferreira", "Rua das Flores 82", "4050-262", "Porto", "PT"),
    ("Mirjam Vogel", "Lindenstraße 7", "10969", "Berlin", "DE"),
    ("Yusuf Demir", "Kerkstraat 201", "1017 GL", "Amsterdam", "NL"),
    ("Claire Dubois", "12 rue des Tanneurs", "59000", "Lille", "FR"),
    ("Niamh O'Connor", "3 Merchants Quay", "D08 A2K7", "Dublin", "IE"),
    ("Piotr Zieliński", "ul. Długa 44", "31-146", "Kraków", "PL"),
]
UNMAPPED_STREET = "Neubaugasse 1"  # too new for C's map
GOODS = [
    ("TEA-0412", "Darjeeling second flush, 250 g", 18_90),
    ("KET-1100", "Gooseneck kettle, 1.0 l", 74_00),
    ("CUP-0031", "Porcelain cup, white", 9_50),
    ("FLT-0100", "Paper filters, 100", 4_20),
    ("GRD-0700", "Hand grinder, steel", 129_00),
    ("BEA-2210", "Espresso beans, 1 kg", 27_80),
]


def order_id(number: int) -> str:
    return f"ORD-{number:07}"


def number_of(order: str) -> int:
    return int(order.removeprefix("ORD-"))


def make_order(number: int, *, is_street_unmapped: bool) -> dict[str, Any]:
    draw = Random(number)
    name, street, postcode, city, country = draw.choice(PEOPLE)
    lines = [_line(draw, *goods) for goods in draw.sample(GOODS, draw.randint(1, 3))]
    return {
        "order": order_id(number),
        "customer": {"name": name, "email": f"customer{draw.randint(1, 400)}@example.com"},
        "ship_to": {
            "street": UNMAPPED_STREET if is_street_unmapped else street,
            "postcode": postcode,
            "city": city,
            "country": country,
        },
        "lines": lines,
        "total_cents": sum(line["quantity"] * line["unit_cents"] for line in lines),
        "currency": "EUR",
    }


def _line(draw: Random, sku: str, title: str, unit_cents: int) -> dict[str, Any]:
    return {"sku": sku, "title": title, "quantity": draw.randint(1, 4), "unit_cents": unit_cents}

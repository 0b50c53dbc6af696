"""The vocabulary of the sample world: 24 topics with the words, prices and habits of their goods.

Brands are invented. A title is brand + style + thing + variant: about 2,300 titles a topic.
"""

from dataclasses import dataclass

VARIANTS = {
    "colours": "Black, White, Grey, Navy, Olive, Sand, Rust, Teal",
    "sizes": "XS, S, M, L, XL, Petite, Tall, Relaxed Fit",
    "packs": "250 g, 500 g, 1 kg, 2 kg, Twin Pack, Family Pack, Refill, Trial Size",
    "editions": "Paperback, Hardcover, Pocket, Illustrated, Box Set, Large Print, Audio, Signed",
    "bottles": "30 ml, 50 ml, 75 ml, 100 ml, 200 ml, Gift Set, Travel Size, Refill",
    "baby_sizes": "Size 1, Size 2, Size 3, Size 4, Gift Set, Starter Set, Value Pack, Bundle",
    "shoe_sizes": "Size 37, Size 38, Size 39, Size 40, Size 41, Size 42, Size 43, Size 44",
    "garden_sizes": "Small, Medium, Large, Set of 2, Set of 3, Starter Kit, Balcony Size, Pro",
    "pan_sizes": "18 cm, 20 cm, 24 cm, 28 cm, Set of 2, Set of 4, Gift Set, XL",
    "tool_kits": "Solo, With Case, Kit, 2 Batteries, Pro, Basic, Mk II, Mk III",
    "marks": "Mk I, Mk II, Mk III, Kit, Travel, Pro, Mini, Plus",
}

# name | category | median price | return rate | days between repurchases (0: none) | variants, then brands, styles and
# things.
VOCABULARY = """
coffee | Food > Coffee | 14 | 0.01 | 21 | packs
  Brunello, Kaldiva, Morrow & Pine, Tostaro, Halden, Ostra
  Single Origin, Dark Roast, Organic, Decaf, Fairtrade, House Blend, Light Roast
  Espresso Beans, Filter Coffee, Ground Coffee, Coffee Capsules, Cold Brew, Coffee Pods, Moka Blend
tea | Food > Tea | 9 | 0.01 | 28 | packs
  Leafwell, Amari, Tidegarden, Sorrel, Nilgiri House, Oolan
  Organic, Loose Leaf, First Flush, Spiced, Smoky, Floral, Caffeine Free
  Green Tea, Black Tea, Herbal Infusion, Earl Grey, Chai, Rooibos, Jasmine Tea
dog | Pets > Dogs | 24 | 0.05 | 30 | packs
  Barkley, Rufflo, Tailhaven, Pawlin, Kennet, Brindle
  Grain Free, Puppy, Senior, Soft, Durable, Natural, Sensitive
  Dry Food, Chew Treats, Dog Bed, Leash, Harness, Dental Sticks, Squeaky Toy
cat | Pets > Cats | 17 | 0.04 | 24 | packs
  Whiskerly, Mirumi, Purrell, Felis, Tabby Lane, Catkin
  Indoor, Kitten, Hypoallergenic, Salmon, Chicken, Clumping, Compact
  Wet Food, Cat Litter, Scratching Post, Catnip Toy, Dry Food, Treats, Window Perch
skincare | Beauty > Skin | 21 | 0.06 | 42 | bottles
  Verbane, Luma Skin, Calme, Dewfield, Orrin, Soluna
  Hydrating, Fragrance Free, Vitamin C, Retinol, Gentle, Brightening, Mineral
  Face Cream, Cleanser, Serum, Sunscreen, Night Mask, Toner, Eye Gel
haircare | Beauty > Hair | 13 | 0.04 | 45 | bottles
  Strandia, Curlwell, Manea, Bristol & Fox, Sylke, Rootly
  Repairing, Volume, Anti Frizz, Colour Safe, Moisturising, Solid, Scalp
  Shampoo, Conditioner, Hair Oil, Styling Cream, Hair Mask, Dry Shampoo, Detangler
nutrition | Health > Nutrition | 27 | 0.03 | 35 | packs
  Corepeak, Nutrika, Vitalis Nord, Formwell, Greenmill, Enduro
  Vanilla, Chocolate, Vegan, Unflavoured, Berry, High Strength, Daily
  Protein Powder, Omega Capsules, Multivitamin, Energy Bars, Electrolyte Mix, Creatine, Collagen
baby | Family > Baby | 19 | 0.07 | 18 | baby_sizes
  Tinywick, Lullame, Snugfox, Cradlo, Pipkin, Mellobear
  Sensitive, Organic, Newborn, Overnight, Soft, Compact, Bamboo
  Nappies, Wet Wipes, Baby Bottle, Sleeping Bag, Muslin Cloths, Pacifier, Baby Carrier
women_fashion | Fashion > Women | 46 | 0.24 | 0 | sizes
  Maelle, Norrland, Avenna, Silk & Stone, Odette, Wilder Row
  Linen, Pleated, Ribbed, Wrap, Oversized, Cropped, Tailored
  Dress, Blouse, Midi Skirt, Cardigan, Jumpsuit, Wide Leg Trousers, Knit Top
men_fashion | Fashion > Men | 44 | 0.19 | 0 | sizes
  Harrow, Fjordan, Castell, Northgate, Loom & Sons, Edvin
  Slim, Oxford, Merino, Corduroy, Waxed, Washed, Heavyweight
  Shirt, Chinos, Jumper, Overshirt, Polo, T-Shirt, Blazer
shoes | Fashion > Shoes | 78 | 0.22 | 0 | shoe_sizes
  Stridewell, Caminora, Oakstep, Velura, Pacer, Tannery Nine
  Leather, Suede, Canvas, Waterproof, Chunky, Minimal, Vegan
  Sneakers, Ankle Boots, Loafers, Sandals, Slippers, Derby Shoes, Slip-Ons
running | Sport > Running | 62 | 0.12 | 0 | colours
  Pacer, Aerostride, Kilo, Trailmark, Volt & Vale, Swiftlane
  Trail, Lightweight, Reflective, Cushioned, Thermal, Breathable, Race
  Running Shoes, Running Vest, Tights, Hydration Pack, Running Socks, Cap, Windbreaker
cycling | Sport > Cycling | 55 | 0.08 | 0 | colours
  Velodrome, Cranko, Spoke & Co, Rideau, Alpenrad, Sprocket
  Carbon, Road, Gravel, City, Waterproof, Rechargeable, Folding
  Bike Light, Helmet, Cycling Jersey, Pannier Bag, Saddle, Bike Lock, Floor Pump
camping | Outdoor > Camping | 70 | 0.09 | 0 | colours
  Basecamp North, Tarnfell, Wildhut, Cairn, Forester, Larkhill
  Ultralight, Two Person, Four Season, Insulated, Inflatable, Compact, Titanium
  Tent, Sleeping Bag, Camping Stove, Head Torch, Sleeping Mat, Cool Box, Trekking Poles
yoga | Sport > Yoga | 33 | 0.07 | 0 | colours
  Asanala, Stillpoint, Prana Lane, Loti, Balanse, Breathwork
  Cork, Non Slip, Extra Thick, Organic Cotton, Travel, Weighted, Recycled
  Yoga Mat, Yoga Block, Meditation Cushion, Leggings, Yoga Strap, Bolster, Foam Roller
gardening | Garden > Plants & Tools | 22 | 0.05 | 0 | garden_sizes
  Greenacre, Thistle & Spade, Hortus, Mossway, Rosewell, Plotline
  Heirloom, Stainless, Terracotta, Self Watering, Hardy, Compact, Organic
  Seed Set, Pruning Shears, Planter, Garden Hose, Hand Trowel, Raised Bed, Plant Food
kitchen | Home > Kitchen | 39 | 0.06 | 0 | pan_sizes
  Casserolle, Ironwell, Mise, Saltmill, Gusto Nord, Copperfield
  Cast Iron, Non Stick, Stainless, Bamboo, Ceramic, Glass, Enamelled
  Frying Pan, Chef Knife, Storage Jar, Baking Tray, Mixing Bowl, Cutting Board, Saucepan
home_decor | Home > Decoration | 35 | 0.11 | 0 | colours
  Hyggeland, Lumiere & Oak, Casa Nova, Stilwerkhaus, Fernway, Ochre
  Scandinavian, Vintage, Woven, Handmade, Velvet, Brass, Minimal
  Table Lamp, Cushion Cover, Wall Mirror, Vase, Scented Candle, Rug, Picture Frame
diy_tools | Home > Tools | 58 | 0.07 | 0 | tool_kits
  Hammerfest, Torqon, Werkfix, Drillmark, Bolt & Beam, Rasp
  Cordless, Heavy Duty, Brushless, Compact, Precision, 18V, Laser
  Drill, Screwdriver Set, Jigsaw, Spirit Level, Sander, Toolbox, Distance Meter
audio | Electronics > Audio | 95 | 0.1 | 0 | colours
  Sonora, Bassline, Clarion Bay, Auralis, Wavecrest, Tonehaus
  Wireless, Noise Cancelling, Portable, Studio, Open Back, Waterproof, Hi-Res
  Headphones, Bluetooth Speaker, Earbuds, Soundbar, Turntable, Microphone, DAC
photography | Electronics > Photo | 160 | 0.09 | 0 | marks
  Lumora, Obscura, Fieldlens, Aperta, Kinolight, Prismo
  Wide Angle, Carbon, Compact, Instant, Padded, Variable, Macro
  Camera Bag, Tripod, Prime Lens, ND Filter, Instant Camera, Flash, Memory Card
gaming | Electronics > Gaming | 48 | 0.08 | 0 | colours
  Pixelforge, Nightowl, Vexel, Arcadia Lab, Respawn Works, Keystorm
  Mechanical, RGB, Wireless, Ergonomic, Retro, Co-op, Ultra Wide
  Keyboard, Gaming Mouse, Headset, Controller, Mouse Pad, Gaming Chair, Capture Card
crime_novels | Books > Crime | 12 | 0.03 | 0 | editions
  Harbour Press, Nightjar Books, Redwood House, Foglamp, Inkwell, Quayside
  Silent, Frozen, Crooked, Hidden, Last, Broken, Midnight
  Witness, Harbour, Alibi, Inspector, Confession, Shoreline, Verdict
science_books | Books > Science | 18 | 0.03 | 0 | editions
  Meridian Press, Orbit House, Fieldnotes, Axiom Books, Lodestar, Halcyon
  Brief, Curious, Secret, Complete, Visual, Beautiful, Unlikely
  Star History, Cell Life, Number Theory, Atlas of Seas, Climate Guide, Bird Book, Tale of Minds
"""


@dataclass(frozen=True)
class Topic:
    """What is sold under one interest; `cycle_days` > 0 marks goods that are bought again."""

    name: str
    category: str
    median_price: float
    return_rate: float
    cycle_days: int
    brands: tuple[str, ...]
    styles: tuple[str, ...]
    things: tuple[str, ...]
    variants: tuple[str, ...]


def _words(line: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in line.split(","))


def _topic(head: str, brands: str, styles: str, things: str) -> Topic:
    name, category, price, returns, cycle, variants = (part.strip() for part in head.split("|"))
    return Topic(
        name=name,
        category=category,
        median_price=float(price),
        return_rate=float(returns),
        cycle_days=int(cycle),
        brands=_words(brands),
        styles=_words(styles),
        things=_words(things),
        variants=_words(VARIANTS[variants]),
    )


_LINES = VOCABULARY.strip().splitlines()
TOPICS = tuple(_topic(*_LINES[i : i + 4]) for i in range(0, len(_LINES), 4))
TOPIC_NAMES = tuple(topic.name for topic in TOPICS)

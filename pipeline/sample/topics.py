"""The vocabulary of the sample world: 24 topics with the words, prices and habits of their goods.

Brands are invented. A title is brand + style + thing + variant, so a topic has a few thousand distinct ones.
"""

from dataclasses import dataclass


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


def _topic(
    name: str, category: str, price: float, returns: float, cycle: int, *words: str
) -> Topic:
    brands, styles, things, variants = (tuple(w.strip() for w in line.split(",")) for line in words)
    return Topic(name, category, price, returns, cycle, brands, styles, things, variants)


COLOURS = "Black, White, Grey, Navy, Olive, Sand, Rust, Teal"
SIZES = "XS, S, M, L, XL, Petite, Tall, Relaxed Fit"
PACKS = "250 g, 500 g, 1 kg, 2 kg, Twin Pack, Family Pack, Refill, Trial Size"
EDITIONS = "Paperback, Hardcover, Pocket Edition, Illustrated, Box Set, Large Print, Collector, Audio CD"

TOPICS: tuple[Topic, ...] = (
    _topic(
        "coffee", "Food > Coffee", 14, 0.01, 21,
        "Brunello, Kaldiva, Morrow & Pine, Tostaro, Halden, Ostra",
        "Single Origin, Dark Roast, Organic, Decaf, Fairtrade, House Blend, Light Roast",
        "Espresso Beans, Filter Coffee, Ground Coffee, Coffee Capsules, Cold Brew, Coffee Pods, Moka Blend",
        PACKS,
    ),
    _topic(
        "tea", "Food > Tea", 9, 0.01, 28,
        "Leafwell, Amari, Tidegarden, Sorrel, Nilgiri House, Oolan",
        "Organic, Loose Leaf, First Flush, Spiced, Smoky, Floral, Caffeine Free",
        "Green Tea, Black Tea, Herbal Infusion, Earl Grey, Chai, Rooibos, Jasmine Tea",
        PACKS,
    ),
    _topic(
        "dog", "Pets > Dogs", 24, 0.05, 30,
        "Barkley, Rufflo, Tailhaven, Pawlin, Kennet, Brindle",
        "Grain Free, Puppy, Senior, Soft, Durable, Natural, Sensitive",
        "Dry Food, Chew Treats, Dog Bed, Leash, Harness, Dental Sticks, Squeaky Toy",
        PACKS,
    ),
    _topic(
        "cat", "Pets > Cats", 17, 0.04, 24,
        "Whiskerly, Mirumi, Purrell, Felis, Tabby Lane, Catkin",
        "Indoor, Kitten, Hypoallergenic, Salmon, Chicken, Clumping, Compact",
        "Wet Food, Cat Litter, Scratching Post, Catnip Toy, Dry Food, Treats, Window Perch",
        PACKS,
    ),
    _topic(
        "skincare", "Beauty > Skin", 21, 0.06, 42,
        "Verbane, Luma Skin, Calme, Dewfield, Orrin, Soluna",
        "Hydrating, Fragrance Free, Vitamin C, Retinol, Gentle, Brightening, Mineral",
        "Face Cream, Cleanser, Serum, Sunscreen, Night Mask, Toner, Eye Gel",
        "30 ml, 50 ml, 75 ml, 100 ml, 200 ml, Gift Set, Travel Size, Refill",
    ),
    _topic(
        "haircare", "Beauty > Hair", 13, 0.04, 45,
        "Strandia, Curlwell, Manea, Bristol & Fox, Sylke, Rootly",
        "Repairing, Volume, Anti Frizz, Colour Safe, Moisturising, Solid, Scalp",
        "Shampoo, Conditioner, Hair Oil, Styling Cream, Hair Mask, Dry Shampoo, Detangler",
        "100 ml, 200 ml, 250 ml, 400 ml, Duo, Travel Size, Refill, Salon Size",
    ),
    _topic(
        "nutrition", "Health > Nutrition", 27, 0.03, 35,
        "Corepeak, Nutrika, Vitalis Nord, Formwell, Greenmill, Enduro",
        "Vanilla, Chocolate, Vegan, Unflavoured, Berry, High Strength, Daily",
        "Protein Powder, Omega Capsules, Multivitamin, Energy Bars, Electrolyte Mix, Creatine, Collagen",
        PACKS,
    ),
    _topic(
        "baby", "Family > Baby", 19, 0.07, 18,
        "Tinywick, Lullame, Snugfox, Cradlo, Pipkin, Mellobear",
        "Sensitive, Organic, Newborn, Overnight, Soft, Compact, Bamboo",
        "Nappies, Wet Wipes, Baby Bottle, Sleeping Bag, Muslin Cloths, Pacifier, Baby Carrier",
        "Size 1, Size 2, Size 3, Size 4, Monthly Pack, Gift Set, Starter Set, Value Pack",
    ),
    _topic(
        "women_fashion", "Fashion > Women", 46, 0.24, 0,
        "Maelle, Norrland, Avenna, Silk & Stone, Odette, Wilder Row",
        "Linen, Pleated, Ribbed, Wrap, Oversized, Cropped, Tailored",
        "Dress, Blouse, Midi Skirt, Cardigan, Jumpsuit, Wide Leg Trousers, Knit Top",
        SIZES,
    ),
    _topic(
        "men_fashion", "Fashion > Men", 44, 0.19, 0,
        "Harrow, Fjordan, Castell, Northgate, Loom & Sons, Edvin",
        "Slim, Oxford, Merino, Corduroy, Waxed, Washed, Heavyweight",
        "Shirt, Chinos, Jumper, Overshirt, Polo, T-Shirt, Blazer",
        SIZES,
    ),
    _topic(
        "shoes", "Fashion > Shoes", 78, 0.22, 0,
        "Stridewell, Caminora, Oakstep, Velura, Pacer, Tannery Nine",
        "Leather, Suede, Canvas, Waterproof, Chunky, Minimal, Vegan",
        "Sneakers, Ankle Boots, Loafers, Sandals, Slippers, Derby Shoes, Slip-Ons",
        "Size 37, Size 38, Size 39, Size 40, Size 41, Size 42, Size 43, Size 44",
    ),
    _topic(
        "running", "Sport > Running", 62, 0.12, 0,
        "Pacer, Aerostride, Kilo, Trailmark, Volt & Vale, Swiftlane",
        "Trail, Lightweight, Reflective, Cushioned, Thermal, Breathable, Race",
        "Running Shoes, Running Vest, Tights, Hydration Pack, Running Socks, Cap, Windbreaker",
        COLOURS,
    ),
    _topic(
        "cycling", "Sport > Cycling", 55, 0.08, 0,
        "Velodrome, Cranko, Spoke & Co, Rideau, Alpenrad, Sprocket",
        "Carbon, Road, Gravel, City, Waterproof, Rechargeable, Folding",
        "Bike Light, Helmet, Cycling Jersey, Pannier Bag, Saddle, Bike Lock, Floor Pump",
        COLOURS,
    ),
    _topic(
        "camping", "Outdoor > Camping", 70, 0.09, 0,
        "Basecamp North, Tarnfell, Wildhut, Cairn, Forester, Larkhill",
        "Ultralight, Two Person, Four Season, Insulated, Inflatable, Compact, Titanium",
        "Tent, Sleeping Bag, Camping Stove, Head Torch, Sleeping Mat, Cool Box, Trekking Poles",
        COLOURS,
    ),
    _topic(
        "yoga", "Sport > Yoga", 33, 0.07, 0,
        "Asanala, Stillpoint, Prana Lane, Loti, Balanse, Breathwork",
        "Cork, Non Slip, Extra Thick, Organic Cotton, Travel, Weighted, Recycled",
        "Yoga Mat, Yoga Block, Meditation Cushion, Leggings, Yoga Strap, Bolster, Foam Roller",
        COLOURS,
    ),
    _topic(
        "gardening", "Garden > Plants & Tools", 22, 0.05, 0,
        "Greenacre, Thistle & Spade, Hortus, Mossway, Rosewell, Plotline",
        "Heirloom, Stainless, Terracotta, Self Watering, Hardy, Compact, Organic",
        "Seed Set, Pruning Shears, Planter, Garden Hose, Hand Trowel, Raised Bed, Plant Food",
        "Small, Medium, Large, Set of 2, Set of 3, Starter Kit, Balcony Size, Pro",
    ),
    _topic(
        "kitchen", "Home > Kitchen", 39, 0.06, 0,
        "Casserolle, Ironwell, Mise, Saltmill, Gusto Nord, Copperfield",
        "Cast Iron, Non Stick, Stainless, Bamboo, Ceramic, Glass, Enamelled",
        "Frying Pan, Chef Knife, Storage Jar, Baking Tray, Mixing Bowl, Cutting Board, Saucepan",
        "18 cm, 20 cm, 24 cm, 28 cm, Set of 2, Set of 4, Gift Set, XL",
    ),
    _topic(
        "home_decor", "Home > Decoration", 35, 0.11, 0,
        "Hyggeland, Lumiere & Oak, Casa Nova, Stilwerkhaus, Fernway, Ochre",
        "Scandinavian, Vintage, Woven, Handmade, Velvet, Brass, Minimal",
        "Table Lamp, Cushion Cover, Wall Mirror, Vase, Scented Candle, Rug, Picture Frame",
        COLOURS,
    ),
    _topic(
        "diy_tools", "Home > Tools", 58, 0.07, 0,
        "Hammerfest, Torqon, Werkfix, Drillmark, Bolt & Beam, Rasp",
        "Cordless, Heavy Duty, Brushless, Compact, Precision, 18V, Laser",
        "Drill, Screwdriver Set, Jigsaw, Spirit Level, Sander, Toolbox, Distance Meter",
        "Solo, With Case, Kit, 2 Batteries, Pro, Basic, Mk II, Mk III",
    ),
    _topic(
        "audio", "Electronics > Audio", 95, 0.10, 0,
        "Sonora, Bassline, Clarion Bay, Auralis, Wavecrest, Tonehaus",
        "Wireless, Noise Cancelling, Portable, Studio, Open Back, Waterproof, Hi-Res",
        "Headphones, Bluetooth Speaker, Earbuds, Soundbar, Turntable, Microphone, DAC",
        COLOURS,
    ),
    _topic(
        "photography", "Electronics > Photo", 160, 0.09, 0,
        "Lumora, Obscura, Fieldlens, Aperta, Kinolight, Prismo",
        "Wide Angle, Carbon, Compact, Instant, Padded, Variable, Macro",
        "Camera Bag, Tripod, Prime Lens, ND Filter, Instant Camera, Flash, Memory Card",
        "Mk I, Mk II, Mk III, Kit, Travel, Pro, Mini, Plus",
    ),
    _topic(
        "gaming", "Electronics > Gaming", 48, 0.08, 0,
        "Pixelforge, Nightowl, Vexel, Arcadia Lab, Respawn Works, Keystorm",
        "Mechanical, RGB, Wireless, Ergonomic, Retro, Co-op, Ultra Wide",
        "Keyboard, Gaming Mouse, Headset, Controller, Mouse Pad, Gaming Chair, Capture Card",
        COLOURS,
    ),
    _topic(
        "crime_novels", "Books > Crime", 12, 0.03, 0,
        "Harbour Press, Nightjar Books, Redwood House, Foglamp, Inkwell, Quayside",
        "Silent, Frozen, Crooked, Hidden, Last, Broken, Midnight",
        "Witness, Harbour, Alibi, Inspector, Confession, Shoreline, Verdict",
        EDITIONS,
    ),
    _topic(
        "science_books", "Books > Science", 18, 0.03, 0,
        "Meridian Press, Orbit House, Fieldnotes, Axiom Books, Lodestar, Halcyon",
        "Brief, Curious, Secret, Complete, Visual, Beautiful, Unlikely",
        "History of Stars, Life of Cells, Theory of Numbers, Atlas of Oceans, Guide to Climate, "
        "Story of Minds, Book of Birds",
        EDITIONS,
    ),
)

TOPIC_NAMES = tuple(topic.name for topic in TOPICS)

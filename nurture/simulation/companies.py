"""The accounts of the example: sixty companies that move liquids, in ten countries. None of them exists."""

from typing import NamedTuple


class Company(NamedTuple):
    name: str
    domain: str
    industry: str
    country: str
    employees: int
    city: str
    zone: str = ""  # where a country has several


M, C, F, U, W = "Manufacturing", "Chemicals", "Food and Beverage", "Utilities", "Water"
P, A, L, R, S = "Pharmaceuticals", "Automotive", "Logistics", "Retail", "Software"
CHICAGO, NEW_YORK, LOS_ANGELES, MONTERREY = (
    "America/Chicago",
    "America/New_York",
    "America/Los_Angeles",
    "America/Monterrey",
)

COMPANIES = (
    Company("Foo & Søns <GmbH>", "foo-soens.example", M, "DE", 420, "Hamburg"),  # every template must survive this name
    Company("Weserstahl Walzwerke AG", "weserstahl.example", M, "DE", 2300, "Bremen"),
    Company("Lindenhof Molkerei eG", "lindenhof-molkerei.example", F, "DE", 540, "Kempten"),
    Company("Rheinchemie Farbstoffe GmbH", "rheinchemie-farbstoffe.example", C, "DE", 1250, "Leverkusen"),
    Company("Stadtwerke Altmühl", "stadtwerke-altmuehl.example", U, "DE", 310, "Treuchtlingen"),
    Company("Papierfabrik Donauried GmbH & Co. KG", "donauried-papier.example", M, "DE", 380, "Donauwörth"),
    Company("Hansa Brauhaus GmbH", "hansa-brauhaus.example", F, "DE", 260, "Lübeck"),
    Company("Kessler Antriebstechnik GmbH", "kessler-antrieb.example", A, "DE", 890, "Stuttgart"),
    Company("Nordmeer Spedition", "nordmeer-spedition.example", L, "DE", 140, "Emden"),
    Company("Vitalis Arzneimittel GmbH", "vitalis-arznei.example", P, "DE", 720, "Marburg"),
    Company("Wasserverband Mittelsachsen", "wv-mittelsachsen.example", W, "DE", 190, "Freiberg"),
    Company("Quellgrund Mineralbrunnen", "quellgrund.example", F, "DE", 175, "Fulda"),
    Company("Alpstein Käserei AG", "alpstein-kaeserei.example", F, "CH", 120, "Appenzell"),
    Company("Limmat Präzision AG", "limmat-praezision.example", M, "CH", 310, "Zürich"),
    Company("Basler Spezialchemie AG", "basler-spezialchemie.example", C, "CH", 1450, "Basel"),
    Company("Steyrtal Papier GmbH", "steyrtal-papier.example", M, "AT", 410, "Steyr"),
    Company("Donaukraft Linz AG", "donaukraft.example", U, "AT", 980, "Linz"),
    Company("Tiroler Fruchtsaft GmbH", "tiroler-fruchtsaft.example", F, "AT", 95, "Innsbruck"),
    Company("Harrow Valley Foods Ltd", "harrowvalley.example", F, "GB", 640, "Leeds"),
    Company("Pennine Water plc", "penninewater.example", W, "GB", 1800, "Huddersfield"),
    Company("Thornbury Castings Ltd", "thornbury-castings.example", M, "GB", 230, "Sheffield"),
    Company("Severn Coatings Ltd", "severncoatings.example", C, "GB", 330, "Gloucester"),
    Company("Larkfield Paper Mills", "larkfieldpaper.example", M, "GB", 470, "Maidstone"),
    Company("Aberdour Distillers", "aberdour-distillers.example", F, "GB", 150, "Aberdour"),
    Company("Clyde Marine Software Ltd", "clydemarine.example", S, "GB", 60, "Glasgow"),
    Company("Shannonside Dairies", "shannonside.example", F, "IE", 280, "Limerick"),
    Company("Great Plains Ethanol LLC", "greatplainsethanol.example", C, "US", 350, "Omaha", CHICAGO),
    Company("Buckeye Polymers Inc.", "buckeyepolymers.example", C, "US", 1100, "Toledo", NEW_YORK),
    Company("Lakeshore Municipal Water", "lakeshorewater.example", W, "US", 420, "Milwaukee", CHICAGO),
    Company("Cascade Craft Beverages", "cascadecraft.example", F, "US", 210, "Portland", LOS_ANGELES),
    Company("Ironwood Hydraulics Corp.", "ironwoodhydraulics.example", M, "US", 760, "Cleveland", NEW_YORK),
    Company("Delta Cold Storage", "deltacold.example", L, "US", 320, "Memphis", CHICAGO),
    Company("Prairie Home Stores", "prairiehome.example", R, "US", 5400, "Des Moines", CHICAGO),
    Company("Tejas Precision Molding", "tejasmolding.example", M, "US", 290, "Houston", CHICAGO),
    Company("Aceites del Guadalquivir S.A.", "aceites-guadalquivir.example", F, "ES", 370, "Sevilla"),
    Company("Cerámicas Levante S.L.", "ceramicas-levante.example", M, "ES", 450, "Castellón"),
    Company("Química Ebro S.A.", "quimica-ebro.example", C, "ES", 820, "Zaragoza"),
    Company("Aguas de la Ribera", "aguas-ribera.example", W, "ES", 240, "Alzira"),
    Company("Conservas Cantábrico S.A.", "conservas-cantabrico.example", F, "ES", 310, "Santoña"),
    Company("Bodegas Monte Claro", "bodegas-monteclaro.example", F, "ES", 85, "Logroño"),
    Company("Talleres Iruña S.Coop.", "talleres-iruna.example", M, "ES", 190, "Pamplona"),
    Company("Cervecería del Norte S.A. de C.V.", "cerveceria-norte.example", F, "MX", 1350, "Monterrey", MONTERREY),
    Company("Aceros Anáhuac S.A.", "aceros-anahuac.example", M, "MX", 980, "Monterrey", MONTERREY),
    Company("Plásticos del Bajío", "plasticos-bajio.example", C, "MX", 430, "León"),
    Company("Autopartes Querétaro", "autopartes-qro.example", A, "MX", 1200, "Querétaro"),
    Company("Jugos Tropicales del Golfo", "jugos-golfo.example", F, "MX", 260, "Veracruz"),
    Company("Oțelăria Hunedoara Nouă S.A.", "otelaria-hunedoara.example", M, "RO", 640, "Hunedoara"),
    Company("Lactate Bistrița S.R.L.", "lactate-bistrita.example", F, "RO", 210, "Bistrița"),
    Company("Chimica Oltului S.A.", "chimica-oltului.example", C, "RO", 560, "Râmnicu Vâlcea"),
    Company("Apele Someșului S.A.", "apele-somesului.example", W, "RO", 480, "Cluj-Napoca"),
    Company("Mobila Bucovinei S.R.L.", "mobila-bucovinei.example", M, "RO", 330, "Suceava"),
    Company("Berăria Dunărea S.A.", "beraria-dunarea.example", F, "RO", 290, "Galați"),
    Company("Termoenergetica Mureș", "termo-mures.example", U, "RO", 350, "Târgu Mureș"),
    Company("江南精密铸造有限公司", "jiangnan-casting.example", M, "CN", 860, "无锡"),
    Company("东海化工集团", "donghai-chem.example", C, "CN", 3200, "宁波"),
    Company("青岭乳业股份有限公司", "qingling-dairy.example", F, "CN", 1500, "呼和浩特"),
    Company("长风泵阀配套有限公司", "changfeng-valve.example", M, "CN", 240, "温州"),
    Company("清源水务有限公司", "qingyuan-water.example", W, "CN", 700, "成都"),
    Company("华瑞制药有限公司", "huarui-pharma.example", P, "CN", 1100, "苏州"),
    Company("云栖软件科技", "yunqi-soft.example", S, "CN", 130, "杭州"),
)
LANGUAGE = {
    "DE": "de",
    "AT": "de",
    "CH": "de",
    "GB": "en",
    "IE": "en",
    "US": "en",
    "ES": "es",
    "MX": "es",
    "RO": "ro",
    "CN": "zh",
}
REPS = {  # the seller's salespeople and whose countries are whose
    "DE": ("Jonas Brandt", "jonas.brandt@brunnhold.example"),
    **dict.fromkeys(("AT", "CH", "RO"), ("Miriam Vogel", "miriam.vogel@brunnhold.example")),
    **dict.fromkeys(("ES", "MX"), ("Lucía Herrera", "lucia.herrera@brunnhold.example")),
    **dict.fromkeys(("GB", "IE", "US"), ("Claire Whitfield", "claire.whitfield@brunnhold.example")),
    "CN": ("Chen Hao", "chen.hao@brunnhold.example"),
}
HOT = (  # accounts in the middle of a decision, by domain
    "foo-soens.example", "lindenhof-molkerei.example", "buckeyepolymers.example", "quimica-ebro.example",
    "cerveceria-norte.example", "lactate-bistrita.example", "jiangnan-casting.example", "harrowvalley.example",
)  # fmt: skip
WARM = (
    "weserstahl.example", "rheinchemie-farbstoffe.example", "donauried-papier.example", "steyrtal-papier.example",
    "basler-spezialchemie.example", "alpstein-kaeserei.example", "thornbury-castings.example", "severncoatings.example",
    "greatplainsethanol.example", "ironwoodhydraulics.example", "ceramicas-levante.example",
    "aceites-guadalquivir.example", "aceros-anahuac.example", "otelaria-hunedoara.example",
    "chimica-oltului.example", "qingling-dairy.example",
)  # fmt: skip

"""What columns, files and codes are called, in several languages: the words by which a table's meaning is guessed.

A word of up to three letters must be a word of the name; a longer one may begin or end a word (`Rechnungsdatum`), or
be several with `_` between; one that is not of Latin letters may stand anywhere.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

WORDS: dict[str, str] = {
    "customer": "customer cust client kunde kunden kundennr debitor cliente acheteur klant klient zakaznik kund buyer "
    "shopper subscriber member guest donor patient household 客户 会员 顧客 клиент покупатель",
    "customer_weak": "account acct konto compte cuenta conto user visitor contact party card 用户",
    "identifier": "id no nr num number nummer numero code key uid uuid guid ref kennung 编号 号",
    "ref": "order invoice receipt bestell bestellung rechnung auftrag beleg bon commande facture pedido factura "
    "ordine fattura objednavka faktura zamowienie bill voucher ticket basket cart booking document 订单 发票 заказ",
    "event": "transaction trans txn event row line entry record movement buchung payment operation 流水",
    "time": "date datum dat time zeit timestamp datetime day tag fecha data jour ts dt created ordered placed "
    "purchased occurred posted booked when called visited returned opened paid at 日期 时间 дата",
    "time_event": "order invoice purchase transaction trans sale bestell rechnung auftrag beleg buchung commande "
    "facture achat pedido factura compra ordine fattura event ordered purchased placed returned visited",
    "time_other": "due ship shipped delivery deliver birth geburt naissance expire expiry update updated modified "
    "changed faellig fallig echeance vencimiento scadenza settled settle paid end until to valid lieferdatum liefer",
    "step": "step steps time t day tick period hour week",
    "due": "due faellig fallig faelligkeit falligkeit nettofalligkeit echeance vencimiento scadenza "
    "splatnost verval maturity 到期",
    "settled": "settled settle settlement paid payment bezahlt ausgleich cleared clearing paye paiement pagado pagato "
    "zaplaceno betaald collected 付款",
    "amount": "amount amt total value sum betrag umsatz summe netto brutto montant importe monto importo valor bedrag "
    "kwota castka belopp revenue sales spend spent dollar dollars euro turnover paid net gross price preis prix precio "
    "prezzo cena prijs wert erlos kaufpreis 金额 总额 сумма",
    "amount_other": "balance saldo tax vat mwst ust tva iva discount rabatt remise descuento shipping versand unit "
    "einzel stuck stueck cost kosten days limit rate percent id code date status type currency wahrung devise",
    "unit_price": "price preis prix precio prezzo cena prijs einzelpreis stuckpreis stueckpreis unit_price "
    "price_per 单价 цена",
    "quantity": "quantity qty menge anzahl stuck stueck quantite cantidad quantita qta aantal ilosc mnozstvi antal "
    "units number_of item_count line_count pieces pages items 数量 количество",
    "cost": "cost costs cogs kosten einkaufspreis wareneinsatz cout costo kost einstand 成本",
    "item": "item product sku article artikel stock stockcode produkt produit producto prodotto prod isbn ean gtin "
    "upc asin plu material 商品 产品 товар",
    "category": "category kategorie warengruppe produktgruppe department categorie categoria group gruppe class genre "
    "family famille sortiment 类别 分类",
    "country": "country land pays pais paese kraj zeme 国家 страна",
    "channel": "channel kanal canal canale operation medium platform method store shop filiale branch 渠道",
    "code": "reason grund motif motivo status symbol purpose campaign kampagne zweck 原因",
    "score": "score rating nps stars satisfaction bewertung punkte 评分",
    "counterparty": "counterparty counterpart target beneficiary recipient partner payee empfanger empfaenger "
    "gegenkonto receiver destination dest creditor",
    "counterparty_weak": "account konto iban compte cuenta",
    "type": "type typ kind art status vorgang movement direction dc sign soll haben transaktionstyp action event "
    "类型 тип",
    "currency": "currency wahr waehr wahrung waehrung devise moneda valuta divisa ccy curr 币种",
    "valid_from": "valid_from valid gueltig gultig effective changed updated modified as_of snapshot",
    "signed_up": "signed signup registered registration registriert joined since opened created inscription alta "
    "anlage angelegt eroffn eroeffn beitritt kundeseit customer_since first_seen date datum 注册",
    "private": "birth birthday born geb geburt geburtsdatum naissance nacimiento nascita narozeni dob age alter sex "
    "gender geschlecht sexe sexo sesso anrede salutation title nationality nationalitat nationalite religion marital "
    "familienstand ethnic ethnicity race disability health pregnant 性别 出生 年龄",
    "birth_date": "birth birthday born geb geburt geburtsdatum naissance nacimiento nascita dob 出生",
    "outcome": "fraud churn churned default defaulted label target outcome exited attrition bad suspicious",
    "no_profiling": "no_profiling profiling scoring automated",
    "no_marketing": "no_marketing marketing newsletter opt_out optout unsubscribed unsubscribe opt_in optin "
    "do_not_contact dnc advertising werbung consent einwilligung werbesperre",
    "says_no": "no not out opt_out optout unsubscribed unsubscribe dnc sperre werbesperre objected objection "
    "widerspruch refused keine",
    "not_a_sale": "fee fees adjust adjustment adjust2 test test001 test002 postage shipping versand porto carriage "
    "bank manual discount rabatt voucher gutschein deposit pfand amazonfee charges bankcharges samples",
}
"""What a column is → the words of its name."""

IDENTITY_WORDS: dict[str, str] = {
    "email": "email mail mel courriel correo 邮箱",
    "phone": "phone telephone telefon tel mobile handy cell telefono 电话 手机",
    "tax_id": "tax_id taxid vat_id vatid ust_id ustid steuernummer steuer siren siret nif cif ico tin ssn ein 税号",
    "postcode": "postcode postal zip plz cap cp postleitzahl psc 邮编",
    "address": "address street strasse adresse anschrift rue calle via direccion indirizzo adres ulice 地址",
    "city": "city town ort stadt ville ciudad citta mesto plaats wohnort 城市",
    "name": "name firstname lastname surname vorname nachname nom prenom nombre apellido cognome naam jmeno company "
    "firma 姓名 名称",
}
"""What tells persons apart → the words of its column's name; the first that fits counts."""

NOT_A_NAME = "product item article artikel stock file campaign store shop user column category country"
"""Words beside `name` that say it is not a customer's."""

FAMILY_WORDS: dict[str, str] = {
    "occupational": "industry branche sector job profession beruf occupation employer employees branch naics sic 行业",
    "value": "income balance revenue limit salary turnover einkommen gehalt umsatz wealth credit budget size",
    "risk": "risk risiko pep kyc sanction rating scoring",
    "behavioural": "plan contract vertrag payment method frequency channel subscription tariff tarif paperless loyalty",
    "social": "region city state province district settlement type segment group language sprache country area county "
    "education bundesland kanton department",
}
"""The family of an attribute → the words of its column's name; the first that fits counts."""

KIND_WORDS: dict[str, str] = {
    "return": "return returns retoure retouren refund refunds gutschriften avoirs devoluciones resi",
    "complaint": "complaint complaints reklamation reklamationen beschwerde ticket tickets reclamation reclamo claims",
    "visit": "visit visits view views pageview click clicks session sessions besuch besuche pageviews web visite "
    "visitas",
    "quote": "quote quotes offer offers angebot angebote devis",
    "survey": "survey surveys umfrage nps feedback",
    "service_cost": "service_cost service_costs cost_to_serve servicekosten",
    "service_request": "service support calls call anfragen",
    "campaign": "campaign campaigns kampagne mailing mailings",
    "payment": "payment payments zahlung zahlungen zahlungseingang paiements pagos pagamenti",
    "": "loan loans kredit kredite",
}
"""What a file's rows are → the words of the file's name; the first that fits counts; "": nothing that is read."""

CODE_WORDS: dict[str, str] = {
    "return": "return returned retour retoure refund refunded gutschrift cancel cancelled canceled cancellation "
    "storno storniert avoir devolucion devuelto reso annule creditmemo credit_note chargeback 退货",
    "transfer_out": "debit dr vydaj vyber withdrawal ausgang outgoing out soll abgang auszahlung cargo outflow "
    "debited 支出",
    "transfer_in": "credit cr prijem deposit eingang incoming in haben zugang einzahlung abono inflow credited 收入",
}
"""What a code says its row is → the words of the code."""

YES, NO = (
    "1 y yes true t ja j oui o si s sim ano tak on x wahr vrai",
    "0 n no false f nein non nao ne nie off falsch faux",
)

PAIRS = (
    ("source", "target"),
    ("source", "destination"),
    ("src", "dst"),
    ("from", "to"),
    ("sender", "receiver"),
    ("sender", "recipient"),
    ("sender", "beneficiary"),
    ("orig", "dest"),
    ("origin", "destination"),
    ("payer", "payee"),
    ("debtor", "creditor"),
)
"""How the two sides of a transfer are told apart in otherwise equal names."""


@dataclass(frozen=True)
class Country:
    """names: what a country column calls it. zone: the one most people there live in."""

    code: str
    names: str
    currency: str
    zone: str


COUNTRIES = (
    Country("US", "usa united_states united_states_of_america america", "USD", "America/New_York"),
    Country("GB", "uk gbr united_kingdom great_britain england", "GBP", "Europe/London"),
    Country("DE", "deu ger germany deutschland", "EUR", "Europe/Berlin"),
    Country("FR", "fra france frankreich", "EUR", "Europe/Paris"),
    Country("ES", "esp spain espana spanien", "EUR", "Europe/Madrid"),
    Country("IT", "ita italy italia italien", "EUR", "Europe/Rome"),
    Country("NL", "nld netherlands nederland niederlande", "EUR", "Europe/Amsterdam"),
    Country("BE", "bel belgium belgique belgie", "EUR", "Europe/Brussels"),
    Country("AT", "aut austria osterreich oesterreich", "EUR", "Europe/Vienna"),
    Country("IE", "irl ireland eire", "EUR", "Europe/Dublin"),
    Country("PT", "prt portugal", "EUR", "Europe/Lisbon"),
    Country("FI", "fin finland suomi", "EUR", "Europe/Helsinki"),
    Country("CH", "che switzerland schweiz suisse", "CHF", "Europe/Zurich"),
    Country("CZ", "cze czechia czech_republic cesko", "CZK", "Europe/Prague"),
    Country("PL", "pol poland polska", "PLN", "Europe/Warsaw"),
    Country("SE", "swe sweden sverige", "SEK", "Europe/Stockholm"),
    Country("DK", "dnk denmark danmark", "DKK", "Europe/Copenhagen"),
    Country("NO", "nor norway norge", "NOK", "Europe/Oslo"),
    Country("HU", "hun hungary magyarorszag", "HUF", "Europe/Budapest"),
    Country("RU", "rus russia россия", "RUB", "Europe/Moscow"),
    Country("TR", "tur turkey turkiye", "TRY", "Europe/Istanbul"),
    Country("CN", "chn china 中国", "CNY", "Asia/Shanghai"),
    Country("JP", "jpn japan 日本", "JPY", "Asia/Tokyo"),
    Country("KR", "kor korea south_korea", "KRW", "Asia/Seoul"),
    Country("IN", "ind india", "INR", "Asia/Kolkata"),
    Country("AU", "aus australia", "AUD", "Australia/Sydney"),
    Country("CA", "can canada", "CAD", "America/Toronto"),
    Country("MX", "mex mexico", "MXN", "America/Mexico_City"),
    Country("BR", "bra brazil brasil", "BRL", "America/Sao_Paulo"),
    Country("ZA", "zaf south_africa", "ZAR", "Africa/Johannesburg"),
)

CURRENCY_WORDS: dict[str, str] = {
    "EUR": "eur euro euros €",
    "USD": "usd dollar dollars $",
    "GBP": "gbp pound pounds sterling £",
    "CHF": "chf franken",
    "CZK": "czk kc",
    "PLN": "pln zl",
    "JPY": "jpy yen ¥",
    "CNY": "cny rmb yuan 元",
    "INR": "inr rupee rupees ₹",
    "SEK": "sek",
    "DKK": "dkk",
    "NOK": "nok",
    "CAD": "cad",
    "AUD": "aud",
    "BRL": "brl",
    "TRY": "₺",
    "RUB": "rub ₽",
}
"""Currency → what stands for it in names and cells."""

NO_DECIMALS = frozenset({"JPY", "KRW", "HUF"})
"""Currencies whose amounts are whole."""

LANGUAGES: dict[str, str] = {
    "CZ": "prijem vydaj vyber datum castka zakaznik mnozstvi",
    "DE": "gutschrift storno soll haben eingang ausgang kunde kundennr kundennummer betrag menge umsatz beleg belegnr",
    "FR": "commande montant quantite prix unitaire achat facture",
    "ES": "fecha pedido importe cantidad precio",
    "IT": "ordine importo quantita prezzo fattura",
    "PL": "klient kwota ilosc zamowienie data",
    "NL": "klant bedrag aantal prijs datum",
}
"""Country → words of its language, as codes or in the names of columns; two of them tell it."""


def tokens(name: str) -> list[str]:
    """The words of a name in small letters without accents: `InvoiceNo` → invoice, no."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c)).replace("ß", "ss")
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", plain).lower()
    return re.findall(r"[^\W_]+|[€$£¥₹₺₽]", parted)


def says(name: str, words: str) -> bool:
    """Whether a name has one of the words."""
    found = tokens(name)
    joined = f"_{'_'.join(found)}_"
    return any(_in(word, found, joined) for word in words.split())


def _in(word: str, found: list[str], joined: str) -> bool:
    if "_" in word:
        return f"_{word}_" in joined
    if not word.isascii():
        return word in joined
    if len(word) <= 3:
        return word in found
    return any(token.startswith(word) or token.endswith(word) for token in found)


def first_that_fits(name: str, of: dict[str, str]) -> str | None:
    """The first key of `of` whose words a name has."""
    return next((key for key, words in of.items() if says(name, words)), None)


def akin(name: str, key: str) -> bool:
    """Whether a column may hold the ids of another: it is a mere id, says as much, or is a customer, too."""
    if all(says(token, WORDS["identifier"]) for token in tokens(name)):
        return True
    one, other = sorted(("".join(tokens(name)), "".join(tokens(key))), key=len)
    return (len(one) >= 4 and one in other) or (says(name, WORDS["customer"]) and says(key, WORDS["customer"]))

"""The contracts benchmark reads the data's own normal forms and scores field by field."""

from tests.cli.bench.small import write_set
from tests.students.windows.contracts import write_contract

from stepdown.cli.bench import contracts
from stepdown.core.ports import silent


def row(number):
    text, state, day = write_contract(number)
    return {
        "id": f"c{number}",
        "text": text,
        "fields": {"governing_law": state, "agreement_date": day, "expiration_date": "Perpetual"},
        "normalized": {"agreement_date": day},
        "split": "test" if number >= 60 else "train",
    }


def test_fields_are_scored_on_the_test_contracts(tmp_path, monkeypatch):
    monkeypatch.setattr(contracts, "FAMILIES", ("linear",))
    write_set(tmp_path, "cuad/contracts", [row(number) for number in range(72)])
    figures = {figure.name: figure for figure in contracts.contracts(tmp_path, silent)}
    assert figures["CUAD, linear, governing law, exact, %"].number > 80
    assert figures["CUAD, linear, agreement date, exact, %"].number > 80
    assert figures["CUAD, linear, expiration date, exact, %"].number == 100
    assert "12 contracts" in figures["CUAD, linear, governing law, exact, %"].note
    assert figures["CUAD, linear, one contract, p50, ms"].number > 0


def test_values_take_the_datas_own_normal_form():
    source = {
        "fields": {"governing_law": "Utah", "agreement_date": "1/2/03", "expiration_date": "[]/20"},
        "normalized": {"agreement_date": "2003-01-02"},
    }
    found = {field: contracts._value(source, field) for field in contracts._FIELDS}
    assert found == {
        "governing_law": "Utah",
        "agreement_date": "2003-01-02",
        "expiration_date": None,
    }

from tests.workloads.tfhe import truth_tables
from tests.workloads.tfhe.small import TINY
from workloads.circuits import circuit as c
from workloads.tfhe.keys import generate_keys
from workloads.tfhe.scheme import ReferenceEngine


class WrongEngine(ReferenceEngine):
    """Turns every sign."""

    def key_switch(self, extracted):
        return -super().key_switch(extracted)


def test_right_and_wrong_results_are_counted():
    secret, key = generate_keys(TINY, seed=1)
    heard = []
    found = truth_tables.measure(secret, ReferenceEngine(key), c.MUX, 70, 2, heard.append)
    assert (found.n, found.n_wrong, heard) == (70, 0, [32, 32, 6]) and found.deviation < 0.03
    assert truth_tables.measure(secret, WrongEngine(key), c.XOR, 40, 1, heard.append).n_wrong == 40


def test_a_run_from_the_command_line(monkeypatch, capsys):
    named = type("Named", (), {"parameters": TINY})
    monkeypatch.setitem(truth_tables.SETS, "tfhe_lib_80", named)
    arguments = ["--set", "tfhe_lib_80", "--encryptions", "20", "--gates", "not", "nand", "--threads", "2"]
    assert truth_tables.main(arguments) == 0
    printed = capsys.readouterr()
    assert [line.split()[:3] for line in printed.out.splitlines()[2:]] == [["not", "20", "0"], ["nand", "20", "0"]]
    assert "nand: 20 of 20" in printed.err

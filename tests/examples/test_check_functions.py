from .running import ROOT, finish, start

SCRIPT = ROOT / "examples" / "check_functions.py"


def test_the_mistakes_are_found_and_the_right_functions_pass():
    status, said, error = finish(start(SCRIPT))
    assert status == 0 and not error
    activation, wrong, right = (f"gradcheck{table}" for table in said.split("gradcheck")[1:])
    assert "all passed" in activation and "all passed" in right and "all passed" not in wrong
    assert "every entry is 0.25 times" in wrong
    assert "worst in dout" in wrong and "backward writes into it" in wrong

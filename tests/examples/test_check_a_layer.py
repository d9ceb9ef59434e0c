import pytest

from .running import ROOT, finish, start

SCRIPT = ROOT / "examples" / "check_a_layer.py"


@pytest.mark.skipif(not SCRIPT.exists(), reason="there is no such example")
def test_the_mistake_is_found_and_its_correction_passes():
    status, said, error = finish(start(SCRIPT))
    assert status == 0 and not error
    wrong, right = (f"gradcheck{table}" for table in said.split("gradcheck")[1:])
    for sign in ("FAILED", "hint:"):
        assert sign in wrong and sign not in right
    assert "all passed" in right and "all passed" not in wrong

"""`release root`: from the first root to one that follows, and who must sign for it."""

from pathlib import Path

from tests.host.board.products import Product
from tests.host.release.conftest import Run
from tools.release import roots

NEXT = "build/release/lamp-root-2"


def test_the_first(release: Run, product: Product, keys: dict[str, str]) -> None:
    done = release("root", "make", "--threshold", 2, *(f"{name}.pub" for name in keys), "--json")
    assert done.value["keys"] == [*keys.values()] and done.value["threshold"] == 2
    root = roots.load(product.folder / "firmware/update_root.py")
    assert (root.product, root.version, root.threshold, root.ids) == ("lamp", 1, 2, [*keys.values()])
    assert release("root", "show", "--json").value == done.value
    assert all(key in release("root", "show").out for key in keys.values())


def test_as_a_file_of_its_own(release: Run, keys: dict[str, str]) -> None:
    release("root", "make", "--threshold", 1, "anna.pub", "--out", "anna.root")
    assert roots.read(Path("anna.root").read_bytes()).ids == [keys["anna"]]
    assert release("root", "show", "anna.root", "--json").value["keys"] == [keys["anna"]]


def test_it_is_not_overwritten(release: Run, root: dict[str, str]) -> None:
    done = release("root", "make", "--threshold", 1, "anna.pub", "--json")
    assert done.status == 1 and "root rotate" in done.failure["remedy"]
    assert release("root", "show", "--json").value["threshold"] == 2


def test_what_cannot_be_one(release: Run, keys: dict[str, str]) -> None:
    for arguments, told in (
        (("--threshold", 2, "anna.pub"), "threshold 2"),
        (("--threshold", 1, "anna.pub", "anna.pub"), "none twice"),
        (("--threshold", 1, "--product", "a lamp", "anna.pub"), "product"),
    ):
        done = release("root", "make", *arguments, "--json")
        assert done.status == 1 and told in done.failure["text"]
    assert release("root", "make", "--threshold", 6, "anna.pub").status == 2
    assert release("root", "show", "--json").failure["text"].endswith("this product has no root")


def test_a_rotation_needs_both(release: Run, product: Product, root: dict[str, str]) -> None:
    release("keygen", "dora")
    made = release("root", "rotate", root["anna"], "carla.pub", "dora.pub", "--json")
    dora = next(one for one in made.value["keys"] if one not in root.values())
    assert made.value["folder"] == NEXT and made.value["version"] == 2
    assert made.value["missing"] == {"1": [*root.values()], "2": [root["anna"], root["carla"], dora]}
    shown = release("inspect", NEXT)
    assert "-version 1" in shown.out and "+version 2" in shown.out
    assert release("root", "adopt", NEXT, "--json").failure["text"].startswith(f"{NEXT}: by root 1 0 of 2")

    done = release("sign", NEXT, "--key", "dora", "--json").value  # of the new one alone
    assert done["signatures"]["1"]["good"] == [] and done["signatures"]["2"]["good"] == [dora]
    done = release("sign", NEXT, "--key", "ben", "--json").value  # of the old one alone
    assert done["signatures"]["1"]["good"] == [root["ben"]] and not done["complete"]
    assert f"2 signatures; missing: 1 of {root['anna']}, {root['carla']}" in release("inspect", NEXT).out
    assert release("root", "adopt", NEXT).status == 1
    done = release("sign", NEXT, "--key", "carla", "--json").value  # of both
    assert done["complete"]

    assert release("root", "adopt", NEXT, "--json").value["version"] == 2
    assert roots.load(product.folder / "firmware/update_root.py").text() == Path(NEXT, "root").read_bytes()
    again = release("inspect", NEXT, "--json").value
    assert again["complete"] and [it["version"] for it in again["roots"]] == [2]
    assert release("root", "adopt", NEXT).status == 0


def test_a_root_that_does_not_follow(release: Run, root: dict[str, str]) -> None:
    release("root", "rotate", *root.values(), "--threshold", 3)
    file = Path(NEXT, "root")
    for old, new, told in (
        ("version 2", "version 3", "after root 1 comes 2"),
        ("product lamp", "product door", "for product door"),
    ):
        text = file.read_text()
        file.write_text(text.replace(old, new))
        done = release("sign", NEXT, "--key", "anna", "--json")
        assert done.status == 1 and told in done.failure["text"]
        file.write_text(text)
    assert release("sign", NEXT, "--key", "anna").status == 0


def test_another_text_in_the_place_of_a_signed_one(release: Run, root: dict[str, str]) -> None:
    release("root", "rotate", *root.values())
    release("sign", NEXT, "--key", "anna")
    assert release("root", "rotate", *root.values()).status == 0  # the same
    done = release("root", "rotate", root["anna"], root["ben"], "--json")
    assert done.status == 1 and "something else is signed there" in done.failure["text"]


def test_an_update_is_no_root(release: Run, built: Path) -> None:
    assert "an update, no root" in release("root", "adopt", built, "--json").failure["text"]
    release("root", "rotate", "anna.pub", "--threshold", 1)
    for arguments in (("sbom", NEXT), ("inspect", built, NEXT)):
        assert release(*arguments, "--json").status == 1

"""The operator's own texts, local/templates: what is wrong with them shows at a service's start."""

from tests.support import RUN
from tests.support.container import Container, container

type Files = dict[str, str | bytes]

WELCOME = "list:user:notice:welcome.txt"
WELCOM = "list:user:notice:welcom.txt"
USED = "/var/lib/mailman/templates"
WAITS = "waiting for schema core"


def reasons(refused: Container) -> dict[str, str]:
    """What a container has against each file, and nothing else, before it gives up."""
    assert refused.exit_code() == 78
    lines = [line for line in refused.output().splitlines() if "wrote" not in line]
    found = (line.split(": ", 2) for line in lines)
    return {path.removeprefix("local/templates/"): reason for _service, path, reason in found}


def test_wrong_texts_of_mails_are_all_named() -> None:
    files: Files = {
        f"mail/{WELCOME}": "Hello",
        f"mail/site/en/{WELCOM}": "Hello",
        f"mail/domains/lists.example.com/xx/{WELCOME}": "Hello",
        f"mail/lists/ant.lists.example.com/de/{WELCOME}": "Grüße".encode("latin-1"),
    }
    with container(
        "core", local={f"templates/{name}": text for name, text in files.items()}
    ) as core:
        assert reasons(core) == {
            f"mail/{WELCOME}": "must be in site/LANGUAGE, domains/DOMAIN/LANGUAGE"
            " or lists/LIST-ID/LANGUAGE",
            f"mail/site/en/{WELCOM}": f"Mailman has no such template; did you mean {WELCOME}?",
            f"mail/domains/lists.example.com/xx/{WELCOME}": "Mailman has no language xx",
            f"mail/lists/ant.lists.example.com/de/{WELCOME}": "'utf-8' codec can't decode"
            " byte 0xfc in position 2: invalid start byte",
        }


def test_a_text_may_come_from_any_editor() -> None:
    folder = "templates/mail/site/en"
    local: Files = {
        f"{folder}/{WELCOME}": "\ufeffHello,\r\nAnne\r\n",
        f"{folder}/{WELCOME}~": b"\xff",
        f"{folder}/.{WELCOME}.swp": b"\xff",
    }
    with container("core", local=local) as core:
        core.wait_output(WAITS)
        found = core.exec("sh", "-c", f"cd {USED}/site/en; ls -A; od -A n -c *")
    assert found.split() == [WELCOME, *"Hello,", r"\n", *"Anne", r"\n"]


def test_a_text_goes_with_its_file_and_leaves_alone_what_was_imported() -> None:
    ant, bee = (f"lists/{name}.lists.example.com/en/{WELCOME}" for name in ("ant", "bee"))
    with container("core", local={f"templates/mail/{ant}": "Hello"}) as core:
        core.wait_output(WAITS)
        core.exec("sh", "-c", f"cd {USED}; cat {ant}; mkdir -p $(dirname {bee}); echo old >{bee}")
        # A restart finds what a killed container has left.
        (RUN / core.name / "etc/mailman-stack/local/templates/mail" / ant).unlink()
        core.restart()
        core.wait_output(WAITS, times=2)
        found = core.exec("find", USED, "-name", "*.txt")
    assert found.split() == [f"{USED}/{bee}"]


def test_a_text_does_not_hide_what_was_imported() -> None:
    name = f"lists/ant.lists.example.com/en/{WELCOME}"
    with container("core") as core:
        core.wait_output(WAITS)
        core.exec("sh", "-c", f"cd {USED}; mkdir -p $(dirname {name}); echo old >{name}")
        file = RUN / core.name / "etc/mailman-stack/local/templates/mail" / name
        file.parent.mkdir(parents=True)
        file.write_text("new")
        core.restart()
        assert core.exit_code() == 78
        assert f"local/templates/mail/{name}: in its place there is {USED}/{name}" in core.output()


def test_wrong_pages_are_all_named() -> None:
    files: Files = {
        "web/404.html": "{% block content %}",
        "web/postorius/index.html": "{% lod i18n %}",
        "web/hyperkitty/top.html": b"\xff",
        "web/hyperkitty/bottom.html": "{{ no.such.name }}",
    }
    with container("web", local={f"templates/{name}": text for name, text in files.items()}) as web:
        wrong = reasons(web)
    assert set(wrong) == {"web/404.html", "web/postorius/index.html", "web/hyperkitty/top.html"}
    assert "Unclosed tag on line 1: 'block'" in wrong["web/404.html"]
    assert "Invalid block tag on line 1: 'lod'" in wrong["web/postorius/index.html"]

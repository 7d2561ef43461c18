"""The Markdown of docs/ as HTML."""

from __future__ import annotations

import pytest

from gateway.markdown import Renderer


def rendered(text: str) -> str:
    """Without line breaks between blocks, which mean nothing."""
    html = str(Renderer(lambda target: f"/to/{target}").blocks(text.splitlines()))
    return html.replace(">\n", ">")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# A *fine* day", '<h1 id="a-fine-day">A <em>fine</em> day</h1>'),
        ("one\ntwo\n\nthree", "<p>one two</p><p>three</p>"),
        ("a `b*c*` **d `e`**", "<p>a <code>b*c*</code> <strong>d <code>e</code></strong></p>"),
        ("[f](g.md)", '<p><a href="/to/g.md">f</a></p>'),
        ("<https://h.example>", '<p><a href="/to/https://h.example">https://h.example</a></p>'),
        ("- a\n  b\n- c", "<ul><li>a b</li><li>c</li></ul>"),
        ("1. a\n2. b\n\nc", "<ol><li>a</li><li>b</li></ol><p>c</p>"),
        ("- a\n  - b\n- c", "<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>"),
        ("- a\n\n  b\n\n- c", "<ul><li>a<p>b</p></li><li>c</li></ul>"),
        ("1. a\n\n   b\n2. c", "<ol><li>a<p>b</p></li><li>c</li></ol>"),
        ("a\n- b", "<p>a</p><ul><li>b</li></ul>"),
        ("a * b and snake_case_name", "<p>a * b and snake_case_name</p>"),
        ("", ""),
    ],
)
def test_markdown_becomes_markup(text: str, expected: str) -> None:
    assert rendered(text) == expected


def test_a_code_block_is_kept_to_the_letter() -> None:
    block = rendered("```python\nif a < b:\n\n    **c**\n```\nafter")
    assert "<code>if a &lt; b:\n\n    **c**</code>" in block
    assert block.endswith("<p>after</p>")


def test_a_code_block_without_an_end_ends_with_the_page() -> None:
    assert "<code>a</code>" in rendered("```\na")


def test_a_table_has_a_head_and_keeps_its_bars() -> None:
    table = rendered("| a | b |\n|---|---|\n| `c` | d \\| e |")
    assert '<th scope="col">a</th>' in table
    assert "<td><code>c</code></td><td>d | e</td>" in table


@pytest.mark.parametrize(("columns", "kind"), [(2, "table"), (6, "table"), (7, "table wide")])
def test_a_table_of_many_columns_is_a_wide_one(columns: int, kind: str) -> None:
    table = rendered("\n".join([f"|{' a |' * columns}", f"|{'---|' * columns}", f"|{' b |' * columns}"]))
    assert f'<div class="{kind}" ' in table


@pytest.mark.parametrize("text", ["{}", "`{}`", "# {}", "- {}", "| {} |\n|-|\n| {} |", "```\n{}", "**{}**", "[{}](a)"])
def test_text_is_never_markup(text: str) -> None:
    html = rendered(text.replace("{}", "<script>"))
    assert "&lt;script&gt;" in html
    assert "<script" not in html


def test_a_link_cannot_break_out_of_its_address() -> None:
    assert '"onclick' not in rendered('[a](b"onclick="c")')

"""Imports of a folder's other JavaScript files."""

import pytest

from stepdown.scan import scan_code

pytest.importorskip("tree_sitter_typescript")

MADE = """
import { ChatOpenAI } from "@langchain/openai";
export const llm = new ChatOpenAI({ model: "m" });
export const SYSTEM = "Be brief.", store = { invoke() {} };
export const PROMPTS = { route: "Route it." } as const;
const inner = llm;
export { inner as other };
export default llm;
"""


def told(tmp_path, files):
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    found = scan_code(tmp_path)
    assert found.unread == {}
    return [(s.file, s.model, s.prompts) for s in found.sites]


@pytest.mark.parametrize(
    ("use", "prompts"),
    [
        ('import { llm } from "./lib/llm"; llm.invoke(q)', ()),
        ('import llm from "./lib/llm.js"; llm.invoke("Hi.")', ("Hi.",)),
        ('import { other as a, SYSTEM } from "./lib/llm"; a.invoke(SYSTEM)', ("Be brief.",)),
        ('import * as all from "../app/lib/llm"; all.llm.invoke(all.SYSTEM)', ("Be brief.",)),
        ('import { llm, PROMPTS } from "@/lib/llm"; llm.invoke(PROMPTS.route)', ("Route it.",)),
        ('import { llm } from "@/app/lib/llm"; llm.invoke(q)', ()),
        ('const { llm } = require("./lib/llm"); llm.invoke(q)', ()),
    ],
)
def test_clients_and_texts_of_another_file(tmp_path, use, prompts):
    found = told(tmp_path, {"src/app/lib/llm.ts": MADE, "src/app/use.ts": use})
    assert found == [("src/app/use.ts", "m", prompts)]


def test_commonjs_and_a_folders_index(tmp_path):
    made = """
    const { ChatOpenAI } = require("@langchain/openai");
    exports.llm = new ChatOpenAI({ model: "m" });
    exports.P = "Be brief.";
    """
    use = 'const lib = require("./lib"); lib.llm.invoke(lib.P)'
    assert told(tmp_path, {"lib/index.js": made, "use.js": use}) == [
        ("use.js", "m", ("Be brief.",))
    ]


@pytest.mark.parametrize(
    "use",
    [
        *('import { store } from "./llm"; store.invoke(q)', 'import a from "llm"; a.invoke(q)'),
        *(
            'import { none } from "./llm"; none.invoke(q)',
            'import { llm } from "./no"; llm.invoke(q)',
        ),
        *(
            'import { llm } from "../../llm"; llm.invoke(q)',
            'import { inner } from "./llm"; inner.invoke(q)',
        ),
        'import { llm } from "./llm"; const f = (llm) => llm.invoke(q)',
    ],
)
def test_nothing_is_invented_of_an_import(tmp_path, use):
    assert told(tmp_path, {"llm.ts": MADE, "use.ts": use}) == []


def test_files_that_import_each_other(tmp_path):
    here = 'import { b } from "./b"; export const a = b; a.invoke(b + "x");'
    there = 'import { a } from "./a"; export const b = a; b.invoke(a);'
    assert told(tmp_path, {"a.ts": here, "b.ts": there}) == []

# SPDX-License-Identifier: MIT
"""Every public function says what it returns and who may call it concurrently."""

from __future__ import annotations

import re

import pytest
from api import FUNCTIONS, HEADERS, Function

every_function = pytest.mark.parametrize("function", FUNCTIONS, ids=str)


def test_no_declaration_escapes_the_parser() -> None:
    declared = sum(len(re.findall(r"^SHMKIT_API", h.read_text(), re.M)) for h in HEADERS)
    assert len(FUNCTIONS) == declared > 0


@every_function
def test_function_states_its_concurrency(function: Function) -> None:
    assert re.search(r"(^|\s)Concurrency: \w", function.comment)


@every_function
def test_function_with_a_status_lists_what_it_returns(function: Function) -> None:
    if function.type == "shmkit_status":
        assert re.search(r"^@return (0|as)\b", function.comment, re.M)


@every_function
def test_documented_parameters_exist(function: Function) -> None:
    documented = re.findall(r"^@param (\w+)", function.comment, re.M)
    assert set(documented) <= set(function.parameters)


@every_function
def test_function_belongs_to_a_module(function: Function) -> None:
    assert function.name.startswith("shmkit_")
    assert "__" not in function.name, "double underscores mark what is hidden"

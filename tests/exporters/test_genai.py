"""Our names are those of the conventions, and importing them loads no library."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest

from chatloom.exporters import genai

THEIRS = {
    value
    for module in (
        "_incubating.attributes.gen_ai_attributes",
        "_incubating.metrics.gen_ai_metrics",
        "attributes.error_attributes",
        "attributes.http_attributes",
        "attributes.server_attributes",
    )
    for name, value in vars(import_module(f"opentelemetry.semconv.{module}")).items()
    if name.isupper() and isinstance(value, str)
}
OURS = {
    name: value
    for name, value in vars(genai).items()
    if name.isupper() and isinstance(value, str) and name not in {"VERSION", "SCHEMA_URL"}
}


@pytest.mark.parametrize("name", sorted(OURS))
def test_a_name_is_one_of_the_conventions_or_says_whose_it_is(name: str) -> None:
    assert OURS[name] in THEIRS or OURS[name].startswith("chatloom.")


def test_names_were_found() -> None:
    assert len(OURS) > 30
    assert len(set(OURS.values())) == len(OURS)


def test_buckets_are_those_the_conventions_advise() -> None:
    assert genai.SECONDS[:4] == (0.01, 0.02, 0.04, 0.08)
    assert genai.SECONDS[-1] == pytest.approx(81.92)
    assert genai.TOKENS == (
        1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864,
    )  # fmt: skip


@pytest.mark.parametrize("exporter", ["prometheus", "opentelemetry"])
def test_an_exporters_library_is_loaded_at_its_first_use(exporter: str) -> None:
    program = f"import sys, chatloom.exporters.{exporter}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()
    assert f"chatloom.exporters.{exporter}" in loaded
    assert not {"prometheus_client", "opentelemetry", "logging"} & set(loaded)

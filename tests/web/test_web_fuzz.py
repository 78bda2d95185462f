"""The document of the API against the API: what is generated from it never meets a bug."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.web.conftest import Serve


def test_generated_requests_find_no_bug(serve: Serve, tmp_path: Path) -> None:
    schemathesis = pytest.importorskip("schemathesis")  # two seconds, in every process if it stood at the top
    from hypothesis import HealthCheck, Phase, given, settings
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

    with serve(collect=tmp_path) as client:
        schema = schemathesis.openapi.from_url(f"http://127.0.0.1:{client.port}/openapi.json")
        seen = 0
        for result in schema.get_all_operations():
            operation = result.ok()
            modes = [schemathesis.GenerationMode.POSITIVE]
            if operation.method == "post":  # elsewhere nothing can be sent wrong
                modes.append(schemathesis.GenerationMode.NEGATIVE)
            for mode in modes:

                @settings(
                    max_examples=6, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
                    suppress_health_check=list(HealthCheck),
                )  # fmt: skip
                def send(case):  # type: ignore[no-untyped-def]
                    nonlocal seen
                    seen += 1
                    checks = [not_a_server_error, content_type_conformance, response_schema_conformance]
                    case.call_and_validate(checks=checks)

                given(case=operation.as_strategy(mode))(send)()
    assert seen > 30

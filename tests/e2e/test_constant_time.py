"""Secrets are compared in constant time: valgrind follows a secret through the comparison and sees no branch on it."""
import os
import pathlib
import subprocess

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = TOP / os.environ.get("CIOBRIDGE_TEST_BUILD", "build")


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    if "sanitize" in str(BUILD):
        pytest.skip("valgrind and the sanitizers exclude each other")
    path = tmp_path_factory.mktemp("constant") / "constant_time"
    subprocess.run(["gcc", "-std=gnu17", "-D_GNU_SOURCE", "-O2", "-I", TOP / "common", "-o", path,
                    TOP / "tests/e2e/constant_time.c", BUILD / "libcommon.a", "-lcrypto"], check=True)
    return path


def complaints(program, *arguments):
    ran = subprocess.run(["valgrind", "-q", "--error-exitcode=9", program, *arguments], capture_output=True, text=True)
    assert "different" in ran.stdout
    return ran.returncode, ran.stderr


def test_the_comparison_of_secrets_takes_no_branch_on_them(program):
    status, said = complaints(program)
    assert status == 0, said


def test_a_naive_comparison_is_found_out(program):
    status, said = complaints(program, "naive")
    assert status == 9 and "uninitialised" in said

import hashlib
import os
import stat
import struct
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designs.errors import InputError
from tests.workloads.tfhe.small import TINY
from workloads.tfhe import files
from workloads.tfhe.keys import Ciphertexts, decrypt_bits, encrypt_bits, encrypt_integers, generate_keys

SECRET, KEY = generate_keys(TINY, seed=3)
BITS = encrypt_bits(SECRET, np.array([[0, 1, 1], [1, 0, 0]]), seed=4)
CASES = {
    "secret": (files.save_secret_key, files.load_secret_key, SECRET),
    "evaluation": (files.save_evaluation_key, files.load_evaluation_key, KEY),
    "ciphertexts": (files.save_ciphertexts, files.load_ciphertexts, BITS),
}
every_kind = pytest.mark.parametrize("name", CASES)


@pytest.fixture(scope="module")
def contents(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tfhe")
    for name, (save, _load, value) in CASES.items():
        save(value, folder / name)
    return {name: (folder / name).read_bytes() for name in CASES}


def sealed(data: bytes) -> bytes:
    """With a right digest: a file that someone made, not one that was damaged."""
    return data[:-32] + hashlib.sha256(data[:-32]).digest()


def refusal(path, load) -> str:
    with pytest.raises(InputError) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: wanted ") and "\n" not in message
    return message.removeprefix(f"{path}: ")


@every_kind
def test_what_is_loaded_is_what_was_saved(name, contents, tmp_path):
    save, load, value = CASES[name]
    (tmp_path / "file").write_bytes(contents[name])
    loaded = load(tmp_path / "file")
    assert type(loaded) is type(value) and vars(loaded).keys() == vars(value).keys()
    for field, saved in vars(value).items():
        assert np.array_equal(getattr(loaded, field), saved) and type(getattr(loaded, field)) is type(saved)
    save(loaded, tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == contents[name]


def test_ciphertexts_of_any_shape(tmp_path):
    integers = encrypt_integers(SECRET, np.array(3), 8)
    for value in (integers, Ciphertexts(key_id=SECRET.key_id, n_messages=0, words=np.zeros((0, 5, 17), np.uint32))):
        files.save_ciphertexts(value, tmp_path / "file")
        loaded = files.load_ciphertexts(tmp_path / "file")
        assert loaded.words.shape == value.words.shape and loaded.n_messages == value.n_messages
    with pytest.raises(InputError, match="at most 8 axes, got 9"):
        words = np.zeros((*[1] * 9, 17), np.uint32)
        files.save_ciphertexts(Ciphertexts(key_id=SECRET.key_id, n_messages=0, words=words), tmp_path / "file")


def test_seeded_keys_stay_labelled(tmp_path):
    files.save_secret_key(SECRET, tmp_path / "seeded")
    assert files.load_secret_key(tmp_path / "seeded").insecure
    files.save_secret_key(generate_keys(TINY)[0], tmp_path / "random")
    assert not files.load_secret_key(tmp_path / "random").insecure


def test_a_secret_key_is_for_its_owner_from_the_first_byte_on(tmp_path, monkeypatch):
    modes, write = [], files._write
    monkeypatch.setattr(
        files, "_write", lambda file, *rest: (modes.append(os.fstat(file.fileno()).st_mode), write(file, *rest))
    )
    old = os.umask(0)
    try:
        files.save_secret_key(SECRET, tmp_path / "key")
    finally:
        os.umask(old)
    assert [stat.S_IMODE(mode) for mode in (*modes, (tmp_path / "key").stat().st_mode)] == [0o600, 0o600]
    assert os.listdir(tmp_path) == ["key"]


def test_a_secret_key_is_never_written_over(tmp_path):
    path = tmp_path / "key"
    path.symlink_to(tmp_path / "nothing")
    with pytest.raises(InputError, match="wanted a new file for a secret key, got one that exists"):
        files.save_secret_key(SECRET, path)


def test_no_output_is_written_over_a_secret_key(contents, tmp_path, monkeypatch):
    for name, data in contents.items():
        (tmp_path / name).write_bytes(data)
    files.spare_secret_key(tmp_path / "evaluation")
    files.spare_secret_key(tmp_path / "nothing")
    newer = files.MAGIC + struct.pack("<H", files.VERSION + 1) + contents["secret"][10:]
    for data in (contents["secret"], newer):
        (tmp_path / "secret").write_bytes(data)
        with pytest.raises(InputError, match="got a secret key, which is kept"):
            files.spare_secret_key(tmp_path / "secret")

    def closed(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", closed)
    with pytest.raises(InputError, match="secret: wanted a file to write to, got: Permission denied"):
        files.spare_secret_key(tmp_path / "secret")


def test_a_failure_leaves_nothing(tmp_path, monkeypatch):
    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(files, "_write", fail)
    for save, _load, value in CASES.values():
        with pytest.raises(KeyboardInterrupt):
            save(value, tmp_path / "file")
    assert os.listdir(tmp_path) == []


@every_kind
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_any_change_of_a_byte_is_refused(name, contents, tmp_path_factory, data):
    path, content = tmp_path_factory.mktemp("flip") / "file", bytearray(contents[name])
    near_start = st.integers(0, 160)
    place = min(data.draw(st.one_of(near_start, st.integers(0, len(content) - 1))), len(content) - 1)
    content[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    refusal(path, CASES[name][1])


@every_kind
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_headers_that_lie_are_refused_or_mean_what_they_say(name, contents, tmp_path_factory, data):
    """The digest is right, so that what is behind it has to hold."""
    path, content = tmp_path_factory.mktemp("lie") / "file", bytearray(contents[name])
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, 111))
        content[place] = data.draw(st.integers(0, 255))
    content = sealed(bytes(content))
    path.write_bytes(content)
    save, load, _value = CASES[name]
    try:
        loaded = load(path)
    except InputError as error:
        assert str(error).startswith(f"{path}: wanted ") and "\n" not in str(error)
    else:
        save(loaded, path.with_name("again"))
        assert path.with_name("again").read_bytes() == content


@every_kind
@pytest.mark.parametrize("n_bytes", [0, 1, 31, 32, 79, 80, 111, 150, -1])
def test_cut_and_lengthened_files_are_refused(name, contents, tmp_path, n_bytes):
    content, path = contents[name], tmp_path / "file"
    path.write_bytes(content[:n_bytes] if n_bytes else content + b"\0")
    assert "bytes" in refusal(path, CASES[name][1])


@given(content=st.binary(max_size=200))
@settings(max_examples=40, deadline=None)
def test_any_bytes_are_refused(content, tmp_path_factory):
    path = tmp_path_factory.mktemp("any") / "file"
    for start in (b"", files.MAGIC, files.MAGIC + struct.pack("<HH", files.VERSION, files.CIPHERTEXTS)):
        path.write_bytes(start + content)
        for _save, load, _value in CASES.values():
            refusal(path, load)


@pytest.mark.parametrize(
    ("name", "place", "value", "message"),
    [
        ("secret", 0, b"PK", "wanted a file of lockstep, got another; take another file with a secret key"),
        ("secret", 8, b"\2", "wanted version 1, got version 2; take another"),
        ("secret", 10, b"\2", "wanted a secret key, got an evaluation key; take"),
        ("secret", 12, b"\4", "wanted known flags"),
        ("secret", 32, struct.pack("<I", 5000), "got lwe_dimension: wanted 2 to 4095, got 5000"),
        ("secret", 40, struct.pack("<I", 65), "got ring_degree: wanted a power of two, got 65"),
        ("secret", 44, struct.pack("<I", 8), "got decomposition_levels: wanted at most 32 bits"),
        ("secret", 60, b"\1", "wanted 0 after the parameters, got 1"),
        ("secret", 64, struct.pack("<d", float("nan")), "got lwe_noise: wanted a share of the torus"),
        ("secret", 40, struct.pack("<I", 128), "wanted 256 bytes, got 192"),
        ("secret", 90, b"\2", "wanted bits, got other numbers"),
        ("evaluation", 32, struct.pack("<I", 4000), " bytes, got "),
        ("ciphertexts", 32, struct.pack("<I", 3), "wanted bits, or a power of two of messages"),
        ("ciphertexts", 36, struct.pack("<I", 1), "wanted 2 to 4095 words of mask"),
        ("ciphertexts", 40, struct.pack("<I", 9), "wanted at most 8 axes"),
        ("ciphertexts", 44, b"\1", "wanted at most 8 axes"),
        ("ciphertexts", 48, struct.pack("<QQ", 2**63, 0), "wanted at most 1099511627776 of them"),
        ("ciphertexts", 48, struct.pack("<Q", 2**38), " bytes, got "),
    ],
)
def test_what_is_said_of_a_lie(name, place, value, message, contents, tmp_path):
    content = bytearray(contents[name])
    content[place : place + len(value)] = value
    (tmp_path / "file").write_bytes(sealed(bytes(content)))
    assert message in refusal(tmp_path / "file", CASES[name][1])


def test_what_is_no_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "missing", tmp_path, tmp_path / "pipe", "/dev/zero"):
        refusal(path, files.load_ciphertexts)


def test_a_key_of_other_parameters_is_refused(tmp_path):
    other = generate_keys(replace(TINY, ring_degree=32), seed=1)[1]
    with pytest.raises(InputError, match="bootstrap_key: wanted uint32 of shape"):
        replace(KEY, bootstrap_key=other.bootstrap_key)
    with pytest.raises(InputError, match="key_switch_key: wanted uint32 of shape"):
        replace(KEY, key_switch_key=KEY.key_switch_key.astype(np.int64))
    with pytest.raises(InputError, match="wanted one of key"):
        decrypt_bits(generate_keys(TINY, seed=9)[0], BITS)


def test_no_secret_is_printed():
    assert repr(SECRET) == f"SecretKey({SECRET.key_id.hex()}, INSECURE: made from a seed)"
    assert "INSECURE" in repr(KEY) and len(repr(KEY)) < 500 and len(repr(BITS)) < 200

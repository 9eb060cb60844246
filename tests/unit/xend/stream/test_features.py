"""What leaves say of features, by name."""

from xend.config.cpuid_names import FIELDS
from xend.stream.features import lacking, leaves_of

NO_SUBLEAF = 0xFFFFFFFF


def test_what_is_missing_has_a_name() -> None:
    old, new = ("sse2", "avx", "nx"), ("sse2", "avx", "avx512f", "avx-vnni", "nx", "rdtscp")
    assert lacking(leaves_of(old), leaves_of(new)) == []
    assert set(lacking(leaves_of(new), leaves_of(old))) == {"avx512f", "avx-vnni", "rdtscp"}
    assert lacking(leaves_of(old), []) == ["avx", "sse2", "nx"]
    assert lacking([], leaves_of(old)) == []


def test_a_leaf_without_subleaves_is_told_in_two_ways() -> None:
    assert lacking([(1, 0, 0, 0, 1, 0)], [(1, NO_SUBLEAF, 0, 0, 1, 0)]) == []


def test_a_bit_without_a_name_is_told_by_its_place() -> None:
    assert lacking([(7, 1, 1, 0, 0, 0)], []) == ["bit 0 of eax in leaf 0x7,1"]


def test_what_is_no_feature_of_the_processor_is_passed_over() -> None:
    says = ("osxsave", "htt", "hypervisor", "btc-no", "fdp-excp-only")
    assert lacking(leaves_of(says), []) == []
    # Sizes and numbers, other leaves, and what AMD's say twice.
    seen = [
        (1, NO_SUBLEAF, 0x106A5, 0x10800, 0, 0),
        (0, NO_SUBLEAF, 13, 1, 2, 3),
        (0x80000008, 0, 0x3030, 0, 7, 0),
    ]
    assert lacking(seen, []) == []
    assert lacking([(0x80000001, NO_SUBLEAF, 0, 0, 0, 0x0183F3FF)], []) == []


def test_every_name_of_one_bit_leads_to_it() -> None:
    for name, (leaf, _, register, bit, width) in FIELDS.items():
        if leaf is not None and width == 1:
            ((found, _, *words),) = leaves_of([name])
            assert (found, words[("eax", "ebx", "ecx", "edx").index(register)]) == (leaf, 1 << bit), name

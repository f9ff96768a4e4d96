from designs import technology
from reports.sources import technology_sources


def test_sources_are_those_of_the_nodes_used():
    at_45, at_7 = technology_sources({45}), technology_sources({7})
    assert all(source.text and source.certainty for source in at_45)
    assert not any("TPUv4i" in source.text for source in at_45)
    assert any("TPUv4i" in source.text for source in at_7)


def test_every_table_names_a_source_and_only_the_default_memory_is_listed():
    found = technology_sources({45})
    assert {source.table for source in found} == {path.stem for path in technology.FOLDER.glob("*.yaml")}
    assert [s.entry for s in found if s.table == "dram"] == [technology.load_technology(45).dram_kind]

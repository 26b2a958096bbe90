// A stanza or more of every kind, for the tests that walk the registry.
#pragma once

#include <string>
#include <vector>

namespace tocsin {

// At least one for each of DetectorKinds().
const std::vector<std::string>& ExampleStanzas();

std::string KindOf(const std::string& yaml);

}  // namespace tocsin

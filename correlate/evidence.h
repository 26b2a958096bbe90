// Reads the top contributors out of a signal's evidence.
//
//   TopNames(signal, "client_ip")      // {"10.0.0.9", "10.0.0.7"}, heaviest first
//
// A detector lists them as evidence of kind "top", named after the field, whose value is a JSON
// list with one element per contributor: its name, or an object or list whose first string is its
// name ({"key": "10.0.0.9", "count": 812}). Thread-safe: pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/signal.h"

namespace tocsin {

// Empty when there is no such evidence.
std::vector<std::string> TopNames(const Signal& signal, std::string_view field);

// Whether the signal reports an attack: a storm labelled "attack", or a security signal.
bool IsHostile(const Signal& signal);

// The address that a hostile signal counts most often; empty when there is none.
std::string AttackingAddress(const Signal& signal);

}  // namespace tocsin

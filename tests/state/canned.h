// One value of every structure that is written to disk, with all of its fields set.
//
//   for (const CannedEncoding& encoding : CannedEncodings(kStateFormat)) …
//   std::optional<std::string> bytes = Reencoded(name, recorded, 5);      // read as of format 5
//
// A new field is set here where it is added: `if (format >= 6) signal.began = …;`, so that what an
// older format wrote is compared with a value without it. The states of detectors, and what else
// cannot be set field by field, are driven by a little traffic; their values follow from the
// algorithms, so only their layout is compared.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tocsin::testing {

struct CannedEncoding {
  std::string name;
  bool driven = false;  // by traffic: not the same bytes in another build
  int version = 1;      // of a detector's state
  std::string bytes;
};

// As of `format`: without the fields that came later, but as this build encodes them.
std::vector<CannedEncoding> CannedEncodings(int format);

// The configuration of the encodings "snapshot", "sources", "incidents".
std::string CannedYaml();

// What this build writes after it has read `bytes`, which a build of `format` wrote; nullopt where
// it cannot be read.
std::optional<std::string> Reencoded(std::string_view name, std::string_view bytes, int format);

}  // namespace tocsin::testing

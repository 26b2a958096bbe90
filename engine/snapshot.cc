#include "engine/snapshot.h"

#include <algorithm>
#include <climits>
#include <optional>

#include "core/status_macros.h"

namespace tocsin {
namespace {

// The name that a snapshot begins with, before its format number. Format 5 had another name and no
// number.
constexpr std::string_view kSnapshotName = "decider";
constexpr std::string_view kSnapshotNameOfFormat5 = "decider-5";

constexpr std::string_view kDetectorSection = "detector";
constexpr std::array<std::string_view, kSnapshotSections> kSectionNames = {
    "clock",        "sources", "incidents", "folds", "users",
    "series-limit", "facts",   "orphans",   "scopes"};

absl::Status Malformed(std::string_view what) {
  return absl::DataLossError("the snapshot is malformed: " + std::string(what));
}

std::optional<std::size_t> IndexOf(std::string_view name) {
  const auto found = std::find(kSectionNames.begin(), kSectionNames.end(), name);
  if (found == kSectionNames.end()) return std::nullopt;
  return static_cast<std::size_t>(found - kSectionNames.begin());
}

// The part of the input that `skip` consumes.
template <typename Skip>
std::string_view Region(std::string_view state, ByteReader* in, Skip skip) {
  const std::size_t begin = state.size() - in->remaining();
  skip();
  return state.substr(begin, state.size() - in->remaining() - begin);
}

absl::StatusOr<SnapshotSections> ParseFormat5(std::string_view state, ByteReader in) {
  in.set_format(5);
  SnapshotSections sections;
  sections.format = 5;
  const auto at = [&](SnapshotSection section) -> std::string_view& {
    return sections.content[static_cast<std::size_t>(section)];
  };
  at(SnapshotSection::kClock) = Region(state, &in, [&] {
    for (int i = 0; i < 6; ++i) in.Signed();
  });
  for (const SnapshotSection section :
       {SnapshotSection::kSources, SnapshotSection::kIncidents, SnapshotSection::kFolds,
        SnapshotSection::kUsers, SnapshotSection::kSeriesLimit}) {
    at(section) = in.Bytes();
  }
  at(SnapshotSection::kFacts) = Region(state, &in, [&] {
    for (std::size_t i = in.Count(2); i > 0 && in.ok(); --i) {
      in.Bytes();
      in.Signed();
    }
  });
  at(SnapshotSection::kOrphans) = std::string_view("\0", 1);
  at(SnapshotSection::kScopes) = std::string_view("\0", 1);  // filled by Decider::Restore
  for (std::size_t i = in.Count(4); i > 0 && in.ok(); --i) {
    DetectorSection detector;
    detector.name = in.Bytes();
    detector.fingerprint = in.Bytes();
    std::vector<Signal> firing;
    const std::string_view encoded =
        Region(state, &in, [&] { detector.firing = DecodeSignals(&in); });
    detector.state = in.Bytes();
    // Format 5 stored orphaned signals under a detector without a name.
    if (detector.name.empty()) {
      at(SnapshotSection::kOrphans) = encoded;
    } else {
      sections.detectors.push_back(std::move(detector));
    }
  }
  if (!in.Done()) return Malformed("its parts are not those of format 5");
  return sections;
}

}  // namespace

std::string_view SnapshotSectionName(SnapshotSection section) {
  return kSectionNames[static_cast<std::size_t>(section)];
}

void EncodeSignals(const std::vector<Signal>& signals, ByteWriter* out) {
  out->Varint(signals.size());
  for (const Signal& signal : signals) signal.Encode(out);
}

std::vector<Signal> DecodeSignals(ByteReader* in) {
  std::vector<Signal> signals;
  for (std::size_t i = in->Count(); i > 0 && in->ok(); --i) signals.push_back(Signal::Decode(in));
  return signals;
}

void DetectorSection::Encode(ByteWriter* out) const {
  out->Bytes(name);
  out->Bytes(kind);
  out->Varint(static_cast<std::uint64_t>(state_version));
  out->Bytes(measured);
  out->Bytes(fingerprint);
  EncodeSignals(firing, out);
  out->Bytes(state);
}

DetectorSection DetectorSection::Decode(ByteReader* in) {
  DetectorSection detector;
  detector.name = in->Bytes();
  detector.kind = in->Bytes();
  detector.state_version = static_cast<int>(std::min<std::uint64_t>(in->Varint(), INT_MAX));
  detector.measured = in->Bytes();
  detector.fingerprint = in->Bytes();
  detector.firing = DecodeSignals(in);
  detector.state = in->Bytes();
  return detector;
}

SnapshotWriter::SnapshotWriter() {
  out_.Bytes(kSnapshotName);
  out_.Varint(kStateFormat);
}

void SnapshotWriter::Add(SnapshotSection section, std::string_view content) {
  out_.Bytes(SnapshotSectionName(section));
  out_.Bytes(content);
}

void SnapshotWriter::Add(const DetectorSection& detector) {
  ByteWriter content;
  detector.Encode(&content);
  out_.Bytes(kDetectorSection);
  out_.Bytes(content.view());
}

absl::StatusOr<SnapshotSections> SnapshotSections::Parse(std::string_view state) {
  ByteReader in(state);
  const std::string_view name = in.Bytes();
  if (name == kSnapshotNameOfFormat5) return ParseFormat5(state, in);
  if (name != kSnapshotName) {
    return absl::UnimplementedError("the snapshot was written by tocsin before format " +
                                    std::to_string(kStateFormatOldest) +
                                    ", which this build cannot read");
  }
  SnapshotSections sections;
  sections.format = static_cast<int>(std::min<std::uint64_t>(in.Varint(), INT_MAX));
  if (!in.ok()) return Malformed("it ends before its format");
  if (sections.format > kStateFormat) {
    return absl::FailedPreconditionError(
        "the snapshot has format " + std::to_string(sections.format) +
        ", this build reads formats " + std::to_string(kStateFormatOldest) + " to " +
        std::to_string(kStateFormat) + ": run the version of tocsin that wrote it, or a newer one");
  }
  std::array<bool, kSnapshotSections> seen = {};
  while (in.remaining() > 0) {
    const std::string_view section = in.Bytes();
    const std::string_view content = in.Bytes();
    if (!in.ok()) return Malformed("a section ends early");
    if (section == kDetectorSection) {
      ByteReader detector(content, sections.format);
      sections.detectors.push_back(DetectorSection::Decode(&detector));
      if (!detector.Done()) return Malformed("a detector's section cannot be decoded");
      continue;
    }
    const std::optional<std::size_t> index = IndexOf(section);
    if (!index || seen[*index]) return Malformed("section '" + std::string(section) + "'");
    seen[*index] = true;
    sections.content[*index] = content;
  }
  for (std::size_t i = 0; i < kSnapshotSections; ++i) {
    if (!seen[i]) return Malformed("section '" + std::string(kSectionNames[i]) + "' is missing");
  }
  return sections;
}

}  // namespace tocsin

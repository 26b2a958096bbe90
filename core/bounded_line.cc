#include "core/bounded_line.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <tuple>
#include <vector>

#include "core/json_writer.h"
#include "core/labels.h"
#include "core/limits.h"

namespace tocsin {
namespace {

// What pages and cards show of the signals: so many, and the evidence of so many of them.
constexpr std::size_t kSignalsKept = 10;
constexpr std::size_t kEvidenceKept = 5;
constexpr std::size_t kListKept = 10;
constexpr std::size_t kTextBytesKept = 512;
// When nothing else is left to go. A byte of a text has at most six in JSON, so that these limits
// leave less than 40 KiB.
constexpr std::size_t kListKeptLast = 2;
constexpr std::size_t kLabelsKeptLast = 16;
constexpr std::size_t kTextBytesKeptLast = 64;
// What `omitted` itself may take.
constexpr std::size_t kOmittedBytes = 256;

std::size_t LineBytes(const Signal& signal) {
  JsonWriter json;
  signal.WriteJson(/*with_state=*/false, &json);
  return json.text().size();
}

// Between code points, and marked. Whether anything was cut. REQUIRES: bytes_max ≥ 3.
bool Cut(std::size_t bytes_max, std::string* text) {
  constexpr std::string_view kEllipsis = "\xE2\x80\xA6";
  if (text->size() <= bytes_max) return false;
  std::size_t end = bytes_max - kEllipsis.size();
  while (end > 0 && (static_cast<unsigned char>((*text)[end]) & 0xC0) == 0x80) --end;
  text->resize(end);
  *text += kEllipsis;
  return true;
}

// Takes from an incident, step by step, what matters least. A step gets the number of bytes that
// must go and stops once they have.
class Trimmer {
 public:
  explicit Trimmer(const Incident& whole) : whole_(whole), kept_(whole) {
    source_.resize(whole.signals.size());
    std::iota(source_.begin(), source_.end(), std::size_t{0});
  }

  std::string Line() const { return kept_.ToJson(omitted_); }

  void DropEvidence(std::size_t excess) { DropEvidenceBeyond(kEvidenceKept, excess); }
  void DropSignals(std::size_t excess) { DropSignalsBeyond(kSignalsKept, excess); }
  void DropLists(std::size_t excess) { CutLists(kListKept, excess); }
  void DropAllEvidence(std::size_t excess) { DropEvidenceBeyond(0, excess); }
  void CutTexts(std::size_t) { CutTextsTo(kTextBytesKept); }
  void DropAlmostAll(std::size_t) {
    DropSignalsBeyond(1, SIZE_MAX);
    CutLists(kListKeptLast, SIZE_MAX);
    CutLabels(kLabelsKeptLast);
    CutTextsTo(kTextBytesKeptLast);
  }

 private:
  // Indices of the signals that are left, the one that matters most first.
  std::vector<std::size_t> Ranked() const {
    std::vector<std::size_t> ranked(kept_.signals.size());
    std::iota(ranked.begin(), ranked.end(), std::size_t{0});
    std::stable_sort(ranked.begin(), ranked.end(), [this](std::size_t a, std::size_t b) {
      const Signal& left = kept_.signals[a];
      const Signal& right = kept_.signals[b];
      return std::tie(left.level, left.onset) < std::tie(right.level, right.onset);
    });
    return ranked;
  }

  void DropEvidenceBeyond(std::size_t kept, std::size_t excess) {
    const std::vector<std::size_t> ranked = Ranked();
    std::size_t freed = 0;
    for (std::size_t i = ranked.size(); i > kept && freed < excess; --i) {
      Signal& signal = kept_.signals[ranked[i - 1]];
      if (signal.evidence.empty()) continue;
      const std::size_t before = LineBytes(signal);
      signal.evidence.clear();
      freed += before - LineBytes(signal);
    }
    CountSignals();
  }

  void DropSignalsBeyond(std::size_t kept, std::size_t excess) {
    const std::vector<std::size_t> ranked = Ranked();
    std::vector<bool> dropped(ranked.size());
    std::size_t freed = 0;
    for (std::size_t i = ranked.size(); i > kept && freed < excess; --i) {
      dropped[ranked[i - 1]] = true;
      freed += LineBytes(kept_.signals[ranked[i - 1]]);
    }
    std::size_t left = 0;
    for (std::size_t i = 0; i < dropped.size(); ++i) {
      if (dropped[i]) continue;
      if (left != i) kept_.signals[left] = std::move(kept_.signals[i]);
      source_[left++] = source_[i];
    }
    kept_.signals.resize(left);
    source_.resize(left);
    CountSignals();
  }

  void CountSignals() {
    omitted_.signals = static_cast<std::int64_t>(whole_.signals.size() - source_.size());
    omitted_.evidence = 0;
    for (std::size_t i = 0; i < source_.size(); ++i) {
      const bool had = !whole_.signals[source_[i]].evidence.empty();
      if (had && kept_.signals[i].evidence.empty()) ++omitted_.evidence;
    }
  }

  void CutLists(std::size_t kept, std::size_t excess) {
    std::size_t freed = 0;
    // What began it stays; of the rest the latest.
    std::vector<TimelineEntry>& timeline = kept_.timeline;
    while (timeline.size() > kept && freed < excess) {
      freed += timeline[1].text.size();
      timeline.erase(timeline.begin() + 1);
      ++omitted_.timeline;
    }
    const auto shorten = [&](auto* list, std::int64_t* omitted, auto bytes) {
      while (list->size() > kept && freed < excess) {
        freed += bytes(list->back());
        list->pop_back();
        ++*omitted;
      }
    };
    const auto text_bytes = [](const std::string& text) { return text.size(); };
    shorten(&kept_.advice, &omitted_.advice, text_bytes);
    shorten(&kept_.suspects, &omitted_.suspects,
            [](const Suspect& suspect) { return suspect.name.size() + suspect.reason.size(); });
    shorten(&kept_.escalate_to, &omitted_.escalate_to, text_bytes);
  }

  void CutTextsTo(std::size_t bytes_max) {
    omitted_.texts = 0;  // those that were cut before are cut again
    const auto cut = [&](std::string* text) {
      if (Cut(bytes_max, text)) ++omitted_.texts;
    };
    for (std::string* text : {&kept_.number, &kept_.severity, &kept_.severity_rule, &kept_.title,
                              &kept_.component, &kept_.classification, &kept_.runbook,
                              &kept_.muted_by, &kept_.acknowledged_by, &kept_.merged_into}) {
      cut(text);
    }
    std::string scope;
    for (const std::string_view part : KeyParts(kept_.scope)) {
      std::string text(part);
      cut(&text);
      AppendKeyPart(text, &scope);
    }
    kept_.scope = std::move(scope);
    for (Signal& signal : kept_.signals) {
      cut(&signal.detector);
      cut(&signal.kind);
      for (auto& [name, value] : signal.series) {
        cut(&name);
        cut(&value);
      }
    }
    for (Suspect& suspect : kept_.suspects) {
      for (std::string* text : {&suspect.kind, &suspect.name, &suspect.reason}) cut(text);
    }
    for (std::string& text : kept_.advice) cut(&text);
    for (std::string& text : kept_.escalate_to) cut(&text);
    for (TimelineEntry& entry : kept_.timeline) {
      for (std::string* text : {&entry.id, &entry.author, &entry.what, &entry.text}) cut(text);
    }
  }

  void CutLabels(std::size_t kept) {
    for (Signal& signal : kept_.signals) {
      if (signal.series.size() <= kept) continue;
      omitted_.labels += static_cast<std::int64_t>(signal.series.size() - kept);
      signal.series.resize(kept);
    }
    std::string scope;
    std::size_t parts = 0;
    for (const std::string_view part : KeyParts(kept_.scope)) {
      if (parts++ < kept) {
        AppendKeyPart(part, &scope);
      } else {
        ++omitted_.labels;
      }
    }
    kept_.scope = std::move(scope);
  }

  const Incident& whole_;
  Incident kept_;
  Omitted omitted_;
  std::vector<std::size_t> source_;  // of kept_.signals, in whole_.signals
};

}  // namespace

std::string BoundedLine(const Incident& incident) {
  constexpr std::size_t kMax = limits::kIncidentLineBytesMax;
  std::string line = incident.ToJson();
  if (line.size() <= kMax) return line;
  Trimmer trimmer(incident);
  for (const auto step : {&Trimmer::DropEvidence, &Trimmer::DropSignals, &Trimmer::DropLists,
                          &Trimmer::DropAllEvidence, &Trimmer::CutTexts, &Trimmer::DropAlmostAll}) {
    (trimmer.*step)(line.size() + kOmittedBytes - kMax);
    line = trimmer.Line();
    if (line.size() <= kMax) break;
  }
  return line;
}

bool IsBounded(std::string_view line) {
  // A quote within a text is escaped, so this cannot be part of one.
  return line.find(R"(,"omitted":{)") != std::string_view::npos;
}

}  // namespace tocsin

// Limits that several folders share or that users run into, with their reasons. A limit that
// matters to one file only is a constant of that file.
//
// A limit that a user may need to change belongs in `limits:` of the configuration instead.
// Whatever exceeds one of these is counted, never silently dropped.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tocsin::limits {

// One event's text, one label value, labels per event, nesting: past it the event is undecodable.
inline constexpr std::size_t kEventBytesMax = 1 << 20;
// One payload of many events: an OTLP request, a scrape, a body by HTTP, each decompressed.
inline constexpr std::size_t kPayloadBytesMax = 8 << 20;
inline constexpr std::size_t kLabelValueBytesMax = 1 << 10;
inline constexpr std::size_t kLabelsMax = 64;
inline constexpr int kJsonDepthMax = 32;

// What decoding a payload may cost beyond its own bytes (ingest/json/payload_budget.h), each with
// what honest senders come to at most, so far as we know them. A name joined of the keys of nested
// maps; label names may have no more. Honest: 100 bytes.
inline constexpr std::size_t kNameBytesMax = kLabelValueBytesMax;
// All such names of a payload, as a multiple of its size. Honest: 7, flags six levels deep.
inline constexpr std::size_t kNamesFactor = 16;
// Texts of a resource for each of its records, and a metric's name for each of its points. Honest:
// 15, short log lines under a resource of a kilobyte.
inline constexpr std::size_t kResourcesFactor = 64;
// Texts of a series for each of its samples, as remote write's. Honest: 120, samples of 18 bytes
// under 2 KiB of labels.
inline constexpr std::size_t kSeriesFactor = 256;
// What is decompressed within a payload, beyond kPayloadBytesMax. Honest: 15, JSON logs in gzip.
inline constexpr std::size_t kUnpackedFactor = 32;

// |value| above 2^60 would overflow the 128-bit fixed-point sums after 2^47 events.
inline constexpr double kNumberMagnitudeMax = 1152921504606846976.0;
// A longer by-value is cut here in the series key, so that no key outgrows a label value.
inline constexpr std::size_t kSeriesLabelBytesMax = kLabelValueBytesMax;

// Keys per partition, pane and aggregation in log order; the rest are counted in `(other)`.
inline constexpr std::uint32_t kPaneKeysMax = 65'536;
// Sources whose counters one series adds up; the samples of others are dropped and counted.
inline constexpr std::size_t kCounterSourcesMax = 4'096;
// Facts a partition carries for one pane, and the text of one fact.
inline constexpr std::size_t kPaneFactsMax = 4'096;
inline constexpr std::size_t kFactBytesMax = 16 << 10;
// Panes a partition keeps open at once: delay (at most 15 min) over the smallest pane (1 s),
// doubled.
inline constexpr std::size_t kOpenPanesMax = 4'096;
// A PaneBatch travels in chunks of at most this, well below Kafka's default 1 MiB message.
inline constexpr std::size_t kBatchChunkBytesMax = 768 << 10;
// Ticks a source partition may be ahead of the slowest one before it is paused.
inline constexpr std::int64_t kTicksAheadMax = 30;

// Series of a scope that a detector keeps, at most; past it new keys go to `(other)`.
inline constexpr std::size_t kSeriesMax = 200'000;
// Series of a detector over all scopes of the process: five scopes at their limit. It bounds memory
// only; past it the scope that has new series says so.
inline constexpr std::size_t kDetectorSeriesMax = 1'000'000;
// Series of a scope and a detector that remember the events that explain them, at up to 10 KiB
// each, and those of all scopes; the others say that they do not.
inline constexpr std::size_t kExplainedSeriesMax = 2'000;
inline constexpr std::size_t kDetectorExplainedMax = 10'000;
// An incident line as it is written and sent: with what a sink puts around it 64 KiB at most.
inline constexpr std::size_t kIncidentLineBytesMax = 63 << 10;
// Signals that one incident lists, suspects, and open incidents per scope.
inline constexpr std::size_t kIncidentSignalsMax = 256;
inline constexpr std::size_t kIncidentSuspectsMax = 16;
inline constexpr std::size_t kOpenIncidentsMax = 100'000;
// Older incidents that one names as those it began beside.
inline constexpr std::size_t kBesideMax = 8;
// Signals of one incident whose joining by coincidence its timeline tells; more say no more.
inline constexpr std::size_t kCoincidencesToldMax = 16;
// Onsets near that of a new signal that are compared with it, the earliest first: what joins is
// found among the first few, and a search must not grow with the square of an outage.
inline constexpr std::size_t kOnsetsComparedMax = 4'096;
// Acts and events of one incident's timeline; text of one act. Silences at once.
inline constexpr std::size_t kReceiptBytesMax = 256;
inline constexpr std::size_t kIncidentTimelineMax = 128;
inline constexpr std::size_t kActionTextBytesMax = 4 << 10;
inline constexpr std::size_t kSilencesMax = 1'024;
inline constexpr std::size_t kSilenceMatchersMax = 32;
// A matcher is a name, a comparison and a label's value or an expression on it.
inline constexpr std::size_t kMatcherBytesMax = 1 << 11;
// Deploys remembered per scope for the suspect search.
// Pages of a scope on one route within ten minutes that are sent one by one.
inline constexpr std::size_t kPagesUnfolded = 5;
inline constexpr std::size_t kDeploysMax = 1'024;
// Calls of services to dependencies that are remembered, per scope.
inline constexpr std::size_t kCallsMax = 4'096;

// Space-Saving counters, by purpose (detection notes: 256 guarantee an attacker's 12 failures among
// 20 random failing addresses a second, 32 do not).
inline constexpr std::uint32_t kTopK = 64;
inline constexpr std::uint32_t kTopKAuth = 256;
// One heavy hitter's key.
inline constexpr std::size_t kTopKeyBytesMax = 256;

// Configuration files: bytes, nesting and `extends` depth.
inline constexpr std::size_t kConfigBytesMax = 4 << 20;
inline constexpr int kConfigDepthMax = 64;
inline constexpr int kConfigExtendsMax = 8;
inline constexpr std::size_t kConfigErrorsMax = 100;
// One configuration as a tree, aliases expanded: what a bomb of aliases may cost.
inline constexpr std::size_t kConfigTreeBytesMax = 64 << 20;

// What the journal keeps beyond what a restart needs (journal/journal.h). Panes, for detectors that
// learn again: longer than most windows, by ticks. Lines of signals and incidents. Positions of
// sources and deliveries of sinks that are configured no more, by time in which we ran.
inline constexpr std::int64_t kPaneLogTime = 7'200'000'000;  // µs: two hours
inline constexpr std::int64_t kPaneLogBytesMax = 256 << 20;
inline constexpr std::int64_t kLinesBytesMax = 64 << 20;
inline constexpr std::int64_t kAbsentMemory = 604'800'000'000;  // µs: a week
// A snapshot is stored in parts of this size, each with a checksum.
inline constexpr std::size_t kSnapshotPartBytes = 1 << 20;

// Samples of undecodable or quarantined records kept per second of event time.
inline constexpr std::size_t kDeadLetterBytesMax = 4 << 10;

// Bytes of an HTTP answer that a sink reads.
inline constexpr std::size_t kHttpReplyBytesMax = 64 << 10;
// A queue between two threads, in elements, unless its owner says otherwise.
inline constexpr std::size_t kQueueElementsMax = 4'096;

}  // namespace tocsin::limits

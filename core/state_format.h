// The version of what tocsin keeps: snapshots, deliveries and acts on a disk or in a topic.
//
// Raise it with every change of an encoding that a released build has written, and let the decoder
// ask for the field only from that format on (core/wire.h). A build reads kStateFormat and
// kStateFormatOldest up to it; what a newer build wrote is refused with a word on what to do. What
// is kept encoded in memory (sketches inside the state of a detector) has no format of its own: a
// decoder that loads an older one has to write it anew. tests/state/encodings_test.cc fails when an
// encoding changes and the number does not.
#pragma once

namespace tocsin {

inline constexpr int kStateFormat = 6;
inline constexpr int kStateFormatOldest = 5;

}  // namespace tocsin

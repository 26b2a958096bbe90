// An incident as a card for a terminal: everything an engineer needs in the first minute.
//
//   std::fputs(RenderCard(incident, {.colour = WantsColour(STDOUT_FILENO)}).c_str(), stdout);
//
//   ┏━ SEVERITY 1 ━━ INC-2026-001 ━━ open ━━━━━━━━━━━━━━━━━━━━━━━━━
//   ┃ Requests fail across the service: error rate of service=api …
//   ┃
//   ┃ Since      2026-03-10 21:04:30 UTC, detected at 21:04:50 …
//   ┃ Users      2,104 of 15,012 affected (14 %)
//
// Every text that may come from an event is put on one line without control characters, so that no
// log line can paint on the terminal of whoever is on call. A line has at most `width` code points.
// Thread-safe: pure functions, but for WantsColour, which asks the terminal and the environment.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/incident.h"
#include "core/time.h"

namespace tocsin {

struct CardStyle {
  int width = 100;  // ≥ 40
  bool colour = false;
  DurationUs pane = 10 * kSecondUs;  // of the plots
  std::size_t signals_omitted = 0;   // of the line that the incident was read from
};

std::string RenderCard(const Incident& incident, const CardStyle& style);

// On a terminal, unless NO_COLOR is set to anything (https://no-color.org).
bool WantsColour(int file_descriptor);

// "▁▂█ ▁": one character a value, scaled from 0 to the largest; a space where there is none.
std::string Sparkline(std::span<const std::optional<double>> values);

// `text` broken at spaces into lines of at most `width` code points; a longer word is cut. At least
// one line. REQUIRES: width ≥ 1.
std::vector<std::string> WrapText(std::string_view text, std::size_t width);

// How wide a text is, as far as code points say it.
std::size_t CodePoints(std::string_view text);
// `text`, or as much of it as fits with a "…". REQUIRES: columns ≥ 1.
std::string CutColumns(std::string_view text, std::size_t columns);

// `text` in a colour, such as "1;31"; as it is when `colour` is off.
std::string Painted(std::string_view text, std::string_view code, bool colour);

// The colour of a severity level, and what labels look like.
std::string_view LevelColour(int level);
inline constexpr std::string_view kDim = "2";

}  // namespace tocsin

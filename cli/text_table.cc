#include "cli/text_table.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "cli/card.h"
#include "sinks/text.h"

namespace tocsin {
namespace {

constexpr std::size_t kUsualWidth = 80;
constexpr std::size_t kCellBytesMax = 8 << 10;  // a title with eight of the longest labels
// Less of the last column says nothing; a narrower terminal wraps.
constexpr std::size_t kLastWidthMin = 10;

}  // namespace

TerminalStyle TerminalOf(int file_descriptor) {
  if (isatty(file_descriptor) == 0) return {};
  winsize size{};
  const bool known = ioctl(file_descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return {.width = known ? size.ws_col : kUsualWidth, .colour = WantsColour(file_descriptor)};
}

TextTable::TextTable(std::vector<std::string> header) : widths_(header.size()) { Add(header); }

void TextTable::Add(const std::vector<std::string>& cells, Style style) {
  Row row = {.cells = {}, .style = style};
  for (std::size_t i = 0; i < widths_.size(); ++i) {
    row.cells.push_back(OneLine(cells[i], kCellBytesMax));
    widths_[i] = std::max(widths_[i], CodePoints(row.cells[i]));
  }
  rows_.push_back(std::move(row));
}

std::string TextTable::Text(const TerminalStyle& terminal) const {
  std::size_t before_last = 0;
  for (std::size_t i = 0; i + 1 < widths_.size(); ++i) before_last += widths_[i] + 1;
  const std::size_t last_max = terminal.width == 0 ? std::string::npos
                               : terminal.width < before_last + kLastWidthMin
                                   ? kLastWidthMin
                                   : terminal.width - before_last;
  std::string text;
  for (const Row& row : rows_) {
    for (std::size_t i = 0; i < row.cells.size(); ++i) {
      const bool last = i + 1 == row.cells.size();
      const std::string cell = last ? CutColumns(row.cells[i], last_max) : row.cells[i];
      const bool paints = terminal.colour && i == row.style.painted && !row.style.colour.empty();
      text += Painted(cell, row.style.colour, paints);
      text.append(last ? 0 : widths_[i] - CodePoints(cell) + 1, ' ');
    }
    text += '\n';
  }
  return text;
}

}  // namespace tocsin

// Rows as columns of text, for a terminal and for a pipe.
//
//   TextTable table({"NUMBER", "SEVERITY", "TITLE"});
//   table.Add({"INC-2026-001", "SEV1", "Requests fail"}, {.painted = 1, .colour = LevelColour(1)});
//   std::fputs(table.Text(TerminalOf(STDOUT_FILENO)).c_str(), stdout);
//
// A column is as wide as its longest cell, the last one takes what is left: on a terminal it is cut
// there, elsewhere nothing is. Cells are put on one line without control characters. Widths count
// code points. Not thread-safe.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace tocsin {

struct TerminalStyle {
  std::size_t width = 0;  // columns; 0: no terminal, hence no end
  bool colour = false;
};
// That of what the descriptor is.
TerminalStyle TerminalOf(int file_descriptor);

class TextTable {
 public:
  struct Style {
    std::size_t painted = 0;  // the cell that has the colour
    std::string_view colour;  // of literals; "" for none
  };

  explicit TextTable(std::vector<std::string> header);
  // REQUIRES: as many cells as the header has.
  void Add(const std::vector<std::string>& cells, Style style);
  void Add(const std::vector<std::string>& cells) { Add(cells, Style()); }
  std::string Text(const TerminalStyle& terminal) const;

 private:
  struct Row {
    std::vector<std::string> cells;
    Style style;
  };
  std::vector<Row> rows_;  // the header first
  std::vector<std::size_t> widths_;
};

}  // namespace tocsin

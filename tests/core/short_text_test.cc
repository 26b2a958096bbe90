#include "core/short_text.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace tocsin {
namespace {

TEST(ShortText, EqualsWhatIsEqual) {
  for (std::size_t size = 0; size <= 70; ++size) {
    const std::string text(size, 'a');
    const std::string same = text;
    EXPECT_TRUE(EqualTexts(text, same)) << size;
    EXPECT_FALSE(EqualTexts(text, text + 'a')) << size;
    for (std::size_t at = 0; at < size; ++at) {
      std::string other = text;
      other[at] = 'b';
      EXPECT_FALSE(EqualTexts(text, other)) << size << " " << at;
    }
  }
}

TEST(ShortText, CopiesExactly) {
  for (std::size_t size = 0; size <= 70; ++size) {
    std::string text;
    for (std::size_t i = 0; i < size; ++i) text += static_cast<char>('0' + i);
    std::vector<char> out(size + 1, '?');
    EXPECT_EQ(CopyText(text, out.data()), out.data() + size);
    EXPECT_EQ(std::string(out.data(), size), text);
    EXPECT_EQ(out[size], '?') << size;
  }
}

}  // namespace
}  // namespace tocsin

#include "ingest/fields/endpoint_template.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace tocsin {
namespace {

TEST(EndpointTemplate, Table) {
  struct Case {
    std::string path;
    std::string expected;
  };
  const Case cases[] = {
      {"/", "/"},
      {"/health", "/health"},
      {"/orders/42", "/orders/:id"},
      {"/orders/42/", "/orders/:id/"},
      {"/orders/42/items/7", "/orders/:id/items/:id"},
      {"/orders/:id", "/orders/:id"},
      {"/api/v1/orders", "/api/v1/orders"},
      {"/orders?id=42", "/orders"},
      {"/orders/42?id=42#x", "/orders/:id"},
      {"/orders#42", "/orders"},
      {"/u/123e4567-e89b-12d3-a456-426614174000/x", "/u/:id/x"},
      {"/u/123E4567-E89B-12D3-A456-426614174000", "/u/:id"},
      {"/u/123e4567-e89b-12d3-a456-42661417400g", "/u/123e4567-e89b-12d3-a456-42661417400g"},
      {"/o/507f1f77bcf86cd799439011", "/o/:id"},
      {"/o/507f1f77bcf86cd", "/o/507f1f77bcf86cd"},
      {"/o/deadbeefdeadbeefdead", "/o/deadbeefdeadbeefdead"},
      {"/cafe/face", "/cafe/face"},
      {"/2fa", "/2fa"},
      {"//7//", "//:id//"},
      {"42", ":id"},
      {"?x", ""},
      {"https://x.example/7/y", "https://x.example/:id/y"},
  };
  EndpointTemplate endpoint;
  for (const Case& test : cases) EXPECT_EQ(endpoint.Apply(test.path), test.expected) << test.path;
}

TEST(EndpointTemplate, NothingToReplaceIsNotCopied) {
  EndpointTemplate endpoint;
  const std::string path = "/api/v1/orders?page=2";
  EXPECT_EQ(endpoint.Apply(path).data(), path.data());
}

TEST(EndpointTemplate, ShortPathsAreReadAsLongOnesAre) {
  // What a query that is cut makes long takes the other way through.
  const std::string query = "?" + std::string(80, 'x');
  constexpr std::string_view kCharacters = "//0019aafFgz-:?#\xC3";
  std::uint32_t random = 1;
  EndpointTemplate endpoint;
  EndpointTemplate reference;
  for (int i = 0; i < 200'000; ++i) {
    const auto next = [&] { return (random = random * 1'664'525 + 1'013'904'223) >> 8; };
    std::string path;
    for (std::uint32_t size = next() % 70; path.size() < size;) {
      const char c = kCharacters[next() % kCharacters.size()];
      path.append(next() % 8 == 0 ? next() % 20 : 1, c);
    }
    ASSERT_EQ(endpoint.Apply(path), reference.Apply(path + query)) << path;
  }
}

TEST(EndpointTemplate, CutsLongPathsBetweenCharacters) {
  EndpointTemplate endpoint;
  EXPECT_EQ(endpoint.Apply("/" + std::string(5000, 'a')).size(), EndpointTemplate::kBytesMax);
  EXPECT_EQ(endpoint.Apply("/1/" + std::string(5000, 'a')).size(), EndpointTemplate::kBytesMax);
  std::string path = "/1/";
  while (path.size() < 3000) path += "\xC3\xA9/9/";
  const std::string_view cut = endpoint.Apply(path);
  EXPECT_LE(cut.size(), EndpointTemplate::kBytesMax);
  EXPECT_NE(cut.back(), '\xC3');
  std::string digits;
  for (int i = 0; i < 100'000; ++i) digits += "/4";
  EXPECT_EQ(endpoint.Apply(digits).size(), EndpointTemplate::kBytesMax);
}

}  // namespace
}  // namespace tocsin

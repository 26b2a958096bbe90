#include "ingest/endpoint_template.h"

#include <gtest/gtest.h>

#include <string>

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

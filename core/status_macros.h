// Early return on an error status.
//
//   TOCSIN_RETURN_IF_ERROR(journal->Append(batch));
//   TOCSIN_ASSIGN_OR_RETURN(Config config, LoadConfig(path));
#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define TOCSIN_RETURN_IF_ERROR(expression)                                                    \
  do {                                                                                        \
    if (absl::Status tocsin_status = (expression); !tocsin_status.ok()) return tocsin_status; \
  } while (false)

#define TOCSIN_CONCAT_INNER(a, b) a##b
#define TOCSIN_CONCAT(a, b) TOCSIN_CONCAT_INNER(a, b)
#define TOCSIN_ASSIGN_OR_RETURN(declaration, expression)            \
  auto TOCSIN_CONCAT(tocsin_or_, __LINE__) = (expression);          \
  if (!TOCSIN_CONCAT(tocsin_or_, __LINE__).ok())                    \
    return std::move(TOCSIN_CONCAT(tocsin_or_, __LINE__)).status(); \
  declaration = *std::move(TOCSIN_CONCAT(tocsin_or_, __LINE__))

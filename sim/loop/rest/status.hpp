/// metav1.Status: what the API answers when it refuses, in the words of the real one.
///
/// Source:     apimachinery pkg/api/errors/errors.go, pkg/util/validation/field/errors.go.
/// Checked by: tests/loop/api_test.cpp.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sim/loop/json/json.hpp"
#include "sim/loop/store/store.hpp"

namespace sim::loop {

/// What an error is about.
struct Subject {
  std::string group;
  std::string kind;  // the resource ("pods") in most errors, the kind ("Pod") in Invalid
  std::string name;
};

struct FieldError {
  std::string type;  // "FieldValueInvalid", "FieldValueRequired", ...
  std::string field;
  std::string message;  // "Invalid value: -1: must be greater than or equal to 0"
};
/// Collects what is wrong with a document.
class FieldErrors {
 public:
  void required(std::string field, std::string_view detail);
  void invalid(std::string field, const Json& value, std::string_view detail);
  void not_supported(std::string field, const Json& value, const std::vector<std::string>& supported);
  void forbidden(std::string field, std::string_view detail);
  void duplicate(std::string field, const Json& value);
  void too_many(std::string field, std::size_t count, std::size_t most);
  /// Without the value, where it would be a whole structure.
  void invalid_without_value(std::string field, std::string_view detail);
  void immutable(std::string field, const Json& value) { invalid(std::move(field), value, "field is immutable"); }
  const std::vector<FieldError>& all() const { return errors_; }
  bool is_empty() const { return errors_.empty(); }

 private:
  std::vector<FieldError> errors_;
};

Refusal not_found(const Subject& subject);
Refusal already_exists(const Subject& subject);
Refusal conflict(const Subject& subject, std::string_view message);
Refusal invalid(const Subject& subject, const FieldErrors& errors);
Refusal bad_request(std::string_view message);
Refusal forbidden(const Subject& subject, std::string_view message);
Refusal unauthorized();
Refusal method_not_supported(const Subject& subject, std::string_view action);
Refusal unsupported_media_type(std::string_view message);
Refusal not_acceptable();
Refusal too_large(std::string_view message);
Refusal expired(std::string_view message);
Refusal timeout(std::string_view message);
Refusal too_many_requests(std::string_view message, int retry_after_seconds);
Refusal internal_error(std::string_view message);
Refusal unavailable(std::string_view message);
/// The answer to a path that nothing serves.
Refusal no_such_path();

Json status(int code, std::string_view reason, std::string_view message);
Json success(const Subject& subject, std::string_view uid);

}  // namespace sim::loop

/// A certificate authority and a server certificate, made anew for each server: nobody else's clients trust them.
///
/// Source: RFC 5280, RFC 8032; OpenSSL 3 makes keys and signatures: P-256 and random; or Ed25519 from a seed, so that what clients copy of them is the
/// same in every run.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sim::loop {

struct Certificates {
  std::string ca;           // PEM
  std::string certificate;  // PEM, of the server
  std::string key;          // PEM
};
/// `names`: host names and addresses that the certificate is for. Valid from an hour before `now` (seconds since 1970; the clock that the clients see),
/// for ten years. With a `seed` two calls make the same certificates, and who knows it knows the keys. Throws std::runtime_error when OpenSSL refuses.
Certificates make_certificates(const std::vector<std::string>& names, std::int64_t now, std::optional<std::uint64_t> seed = std::nullopt);
/// 64 hex digits that nobody can guess.
std::string random_token();
std::string base64(const std::string& data);

}  // namespace sim::loop

/// A certificate authority and a server certificate, made anew for each server: nobody else's clients trust them.
///
/// Source: RFC 5280; OpenSSL 3 makes keys (P-256) and signatures.
#pragma once

#include <string>
#include <vector>

namespace sim::loop {

struct Certificates {
  std::string ca;           // PEM
  std::string certificate;  // PEM, of the server
  std::string key;          // PEM
};
/// `names`: host names and addresses that the certificate is for. Throws std::runtime_error when OpenSSL refuses.
Certificates make_certificates(const std::vector<std::string>& names);
/// 64 hex digits that nobody can guess.
std::string random_token();
std::string base64(const std::string& data);

}  // namespace sim::loop

# Turns files into functions that return their text: cmake -DNAMESPACE=n -DHEADER=h -DOUT=o.cpp -DFILES="a.html;b.html" -P embed.cmake
set(code "#include \"${HEADER}\"\n\nnamespace ${NAMESPACE} {\n")
foreach(file IN LISTS FILES)
  get_filename_component(name ${file} NAME)
  string(REPLACE "." "_" name ${name})
  file(READ ${file} content HEX)
  # As numbers: no delimiter, no limit of length, no escapes to get wrong.
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," content "${content}")
  string(REGEX REPLACE "((0x..,)(0x..,)(0x..,)(0x..,)(0x..,)(0x..,)(0x..,)(0x..,))" "\\1\n" content "${content}")
  string(APPEND code "\nstd::string_view ${name}() {\n  static constexpr unsigned char kBytes[] = {\n${content}};\n  return std::string_view(reinterpret_cast<const char*>(kBytes), sizeof kBytes);\n}\n")
endforeach()
string(APPEND code "\n}  // namespace ${NAMESPACE}\n")
file(WRITE ${OUT} "${code}")

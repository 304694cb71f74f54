# cmake -D INPUT=... -D OUTPUT=... -D NAMESPACE=... -D HEADER=... -D VARIABLE=... -P embed_text.cmake
# Writes a .cc that defines the std::string_view VARIABLE, declared in HEADER, as the text of INPUT.
file(READ "${INPUT}" text)
string(FIND "${text}" ")embedded\"" end_of_literal)
if(NOT end_of_literal EQUAL -1)
  message(FATAL_ERROR "${INPUT} holds what would end the literal")
endif()
file(WRITE "${OUTPUT}" "#include \"${HEADER}\"\n\nnamespace ${NAMESPACE} {\n\n"
  "const std::string_view ${VARIABLE} = R\"embedded(" "${text}" ")embedded\";\n\n}  // namespace ${NAMESPACE}\n")

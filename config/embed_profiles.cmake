# cmake -D PROFILES=rupaya,generic -D SOURCE_DIR=... -D OUTPUT=... -P embed_profiles.cmake
#
# Writes the runbooks into a source file, so that `-c @rupaya` works without any file installed.
string(REPLACE "," ";" profiles "${PROFILES}")
list(SORT profiles)
set(TOCSIN_PROFILES "")
foreach(profile IN LISTS profiles)
  file(READ ${SOURCE_DIR}/runbooks/${profile}.yaml text)
  string(APPEND TOCSIN_PROFILES "    {\"${profile}\", R\"tocsin(${text})tocsin\"},\n")
endforeach()
configure_file(${SOURCE_DIR}/profiles.cc.in ${OUTPUT} @ONLY)

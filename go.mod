module github.com/normsync/normsync

go 1.25.0

require github.com/stretchr/testify v1.12.1 // indirect

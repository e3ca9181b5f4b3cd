// Normsync keeps a world's rules in one place and checks actions against them:
// from the command line, over REST, over MCP and on a live page.
package main

func main() {}

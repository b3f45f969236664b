"""HTML reports, results.json and JUnit XML, all made from one record of results."""

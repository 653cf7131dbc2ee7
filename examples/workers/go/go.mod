module orchestrator.example/worker

go 1.22
